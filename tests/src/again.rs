//! Second opinions on a machine that is busy with other things.
//!
//! A check that fails is made once more. When it holds then, its trial passes, and the suite ends
//! with a list of such checks and what they said the first time: each is a race in the test
//! or in runsk, and to be repaired. `RUNSK_ONCE=1` takes the first answer.

use std::sync::Mutex;

use libtest_mimic::{Arguments, Conclusion, Trial};

static UNSTEADY: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Makes the check, and once more if it fails.
///
/// # Errors
/// What the check says the second time.
pub fn check(name: &str, check: impl Fn() -> Result<(), String>) -> Result<(), String> {
    let Err(first) = check() else {
        return Ok(());
    };
    if std::env::var_os("RUNSK_ONCE").is_some() {
        return Err(first);
    }
    check()?;
    remember(format!("{name}: {first}"));
    Ok(())
}

fn remember(line: String) {
    if let Ok(mut lines) = UNSTEADY.lock() {
        lines.push(line);
    }
}

/// Runs a suite's trials, and says which checks failed once, if any did.
pub fn run(arguments: &Arguments, trials: Vec<Trial>) -> Conclusion {
    let conclusion = libtest_mimic::run(arguments, trials);
    report();
    conclusion
}

fn report() {
    let lines = UNSTEADY.lock().map(|lines| lines.clone());
    let lines = lines.unwrap_or_default();
    if !lines.is_empty() {
        println!("UNSTEADY: {} failed once and held then:", lines.len());
    }
    for line in lines {
        println!("  {}", line.trim_end().replace('\n', "\n    "));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::check;

    #[test]
    fn two_failures_fail_and_one_does_not() {
        let made = Cell::new(0);
        let fails = |times: u32| {
            made.set(0);
            check("x", || {
                made.set(made.get() + 1);
                (made.get() > times).then_some(()).ok_or("no".to_owned())
            })
        };
        assert!(fails(0).is_ok() && made.get() == 1);
        assert!(fails(1).is_ok() && made.get() == 2);
        assert!(fails(2).is_err() && made.get() == 2);
    }
}
