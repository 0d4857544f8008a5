//! Which message a receiver wants.

use std::collections::VecDeque;

use super::Message;

/// `msgtyp` and flags of msgrcv(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// The first.
    Any,
    /// The first of this type.
    Kind(i64),
    /// The first of another type (MSG_EXCEPT).
    Except(i64),
    /// The first of the lowest type up to this.
    UpTo(i64),
}

impl Selection {
    /// From the arguments.
    pub(super) fn new(kind: i64, except: bool) -> Self {
        match kind {
            0 => Selection::Any,
            kind if kind < 0 => Selection::UpTo(kind.checked_neg().unwrap_or(i64::MAX)),
            kind if except => Selection::Except(kind),
            kind => Selection::Kind(kind),
        }
    }

    pub(super) fn takes(self, message: &Message) -> bool {
        match self {
            Selection::Any => true,
            Selection::Kind(kind) => message.kind == kind,
            Selection::Except(kind) => message.kind != kind,
            Selection::UpTo(kind) => message.kind <= kind,
        }
    }

    /// Where the wanted message is.
    pub(super) fn find(self, messages: &VecDeque<Message>) -> Option<usize> {
        let mut fitting = messages.iter().enumerate().filter(|(_, m)| self.takes(m));
        match self {
            Selection::UpTo(_) => fitting.min_by_key(|(_, message)| message.kind),
            _ => fitting.next(),
        }
        .map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Selection};

    #[test]
    fn the_lowest_type_comes_first_and_of_it_the_oldest() {
        let kinds = [5, 3, 9, 3, 1];
        let text = Vec::new();
        let message = |kind| Message {
            kind,
            text: text.clone(),
        };
        let messages = kinds.map(message).into();
        let find = |kind, except| Selection::new(kind, except).find(&messages);
        assert_eq!(find(0, false), Some(0));
        assert_eq!(find(3, false), Some(1));
        assert_eq!(find(5, true), Some(1));
        assert_eq!(find(-4, false), Some(4));
        assert_eq!(find(i64::MIN, false), Some(4));
        assert_eq!(find(7, false), None);
    }
}
