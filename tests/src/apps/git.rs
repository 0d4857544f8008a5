//! git: many small files, renames, locks, hard links, pipes between its own processes.

use crate::case::Case;

/// Everything that would make two commits differ: author, dates, configuration.
macro_rules! git {
    ($name:literal, $script:literal) => {
        Case::bash(
            $name,
            concat!(
                "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@d ",
                "GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000' ",
                "GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=init.defaultBranch GIT_CONFIG_VALUE_0=main ",
                "GIT_CONFIG_KEY_1=advice.detachedHead GIT_CONFIG_VALUE_1=false\ncd /srv\n",
                $script
            ),
        )
        .ignore_stderr()
    };
}

pub(super) const ROWS: &[Case] = &[
    git!(
        "git/init-add-commit-log",
        r#"
        git init r; cd r; echo one >f; mkdir d; echo two >d/g; chmod +x d/g; ln -s f l; git add .; git status --short; git commit -m first; git log --stat --format='%H %an %s'
        echo more >>f; git diff; git commit -am second; git log --oneline; git show --stat HEAD; git ls-tree -r HEAD; git cat-file -p HEAD; git rev-parse HEAD~1; git fsck; git status; git mv f h; git rm -q d/g; git status --short; git checkout -q HEAD -- .; ls
    "#
    ),
    git!(
        "git/branch-merge-rebase",
        r#"
        git init -q r; cd r; seq 10 >f; git add f; git commit -qm base; git checkout -qb topic; sed -i 's/^3$/three/' f; git commit -qam topic; git checkout -q main; sed -i 's/^9$/nine/' f; git commit -qam main2
        git merge -q -m merged topic; cat f; git log --graph --format=%s; git checkout -q topic; git rebase -q main~1; git log --format=%s; git checkout -q main; sed -i 's/^5$/A/' f; git commit -qam A; git checkout -qb b HEAD~1; sed -i 's/^5$/B/' f; git commit -qam B; git merge main; echo $?; cat f; git merge --abort; git stash list; echo x >>f; git stash; git stash pop; git diff --stat; git reset -q --hard; git tag v1; git describe; git cherry-pick --allow-empty main~1; git reflog | wc -l
    "#
    ),
    git!(
        "git/clone-push-fetch",
        r#"
        git init -q --bare o.git; git clone -q o.git a; cd a; for i in 1 2 3; do echo $i >f$i; git add .; git commit -qm c$i; done; git push -q origin main; echo $?; cd ..; git clone -q o.git b; git clone -q file:///srv/o.git c; ls b c; cd c; echo x >n; git add n; git commit -qm fromc; git push -q; cd ../b; git pull -q; git log --format=%s; git clone -q --depth 1 file:///srv/o.git ../s; git -C ../s log --format=%s; git worktree add -q ../w HEAD~1; ls ../w; git bundle create ../x.bundle --all; git clone -q ../x.bundle ../y; git -C ../y log --format=%s | head -1; git archive HEAD | tar t; git remote -v | wc -l
    "#
    ),
    git!(
        "git/gc-and-packs",
        r#"
        git init -q r; cd r; for i in $(seq 60); do echo $i >f$((i % 7)); mkdir -p d$i; seq $i >d$i/x; git add .; git commit -qm "c $i"; done; git count-objects -v | grep count; git gc -q; git count-objects -v | grep -E 'count|packs'; git fsck --full; git verify-pack -v .git/objects/pack/*.idx | grep -cE ' (commit|tree|blob) '; git repack -adfq; git log --oneline | md5sum; git grep -c 5 HEAD~3 | wc -l; git blame f1 | wc -l; git rev-list --objects --all | sort | md5sum; git log -S17 --oneline | wc -l; git bisect start HEAD HEAD~40; git bisect run sh -c '[ ! -d d40 ]' | grep '    c 40'
    "#
    ),
    git!(
        "git/hooks-and-locks",
        r#"
        git init -q r; cd r; printf '#!/bin/sh\necho hook ran\nexit 0\n' >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; echo x >f; git add f; git commit -qm one 2>&1; printf '#!/bin/sh\nexit 1\n' >.git/hooks/pre-commit; echo y >f; git commit -qam two; echo $?; touch .git/index.lock; git add f; echo $?; rm .git/index.lock; git -c core.fsync=all add f; git config user.x y; git config --list --local | sort; git diff --no-index /etc/passwd f | wc -l; git apply <(git diff --cached) ; echo $?; git hash-object -w --stdin <<<blob; git update-index --refresh; GIT_PAGER=cat git -p log --format=%s
    "#
    ),
];
