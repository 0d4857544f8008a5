//! perl: fork, pipes, files, sockets.

use crate::case::Case;

pub(super) const ROWS: &[Case] = &[
    Case::perl(
        "perl/fork",
        r#"
        $| = 1; my @kids; for my $i (1..5) { my $p = fork; if (!$p) { exit $i * 10 } push @kids, $p } for (@kids) { waitpid $_, 0; print $? >> 8, "\n" }
        my $p = fork // die; if (!$p) { kill 'KILL', $$ } waitpid $p, 0; print $? & 127, "\n"; print wait, "\n";
        pipe my $r, my $w; if (!fork) { close $r; print $w "from child $_\n" for 1..3; exit } close $w; print while <$r>; wait;
        print "exit ", system('exit 3') >> 8, "\n"; print `echo backticks; echo err 2>&1`; exec 'echo', 'replaced';
    "#,
    ),
    Case::perl(
        "perl/pipes",
        r#"
        open my $f, '-|', 'seq', 1000 or die; my $s = 0; $s += $_ while <$f>; close $f; print "$s $?\n";
        open $f, '|-', 'sort -rn | head -2' or die; print $f "$_\n" for 1..500; close $f; print "$?\n";
        my $p = open($f, '-|') // die; if (!$p) { print "forked open\n" for 1..2; exit 4 } print <$f>; close $f; print $? >> 8, "\n";
        use IPC::Open3; my $pid = open3(my $in, my $out, undef, 'cat; echo oops >&2; exit 6'); print $in "data\n"; close $in; print sort <$out>; waitpid $pid, 0; print $? >> 8, "\n";
        $SIG{PIPE} = sub { print "sigpipe\n" }; open $f, '|-', 'true'; select undef, undef, undef, 0.2; syswrite $f, 'x' x 100; 
    "#,
    ),
    Case::perl(
        "perl/signals",
        r#"
        $SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$; $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 10; }; print $@; alarm 0;
        $SIG{CHLD} = sub { while ((my $k = waitpid -1, 1) > 0) { print "reaped ", $? >> 8, "\n" } }; for (1..1) { fork || exit 7 } select undef, undef, undef, 0.3 for 1..2;
        local $SIG{INT} = 'IGNORE'; kill INT => $$; print "ignored\n"; $SIG{__WARN__} = sub { print "warned @_" }; warn "x\n"; print join(',', (sort keys %SIG)[0..2]), "\n";
    "#,
    ),
    Case::perl(
        "perl/files",
        r#"
        use Fcntl ':flock', ':mode'; use File::Find; use File::Temp 'tempdir'; use File::Path; use File::Copy; use POSIX; chdir tempdir(DIR => '/srv'); open my $f, '+>', 'a'; print $f "line $_\n" for 1..1000; seek $f, 0, 0; my @l = <$f>; print scalar(@l), " ", -s 'a', "\n"; flock $f, LOCK_EX | LOCK_NB or die; open my $g, '<', 'a'; print flock($g, LOCK_EX | LOCK_NB) ? 'free' : 'held', "\n"; truncate $f, 10; print -s $f, "\n";
        mkdir 'd', 0750; printf "%o\n", (stat 'd')[2]; rename 'a', 'd/a'; copy 'd/a', 'b'; symlink 'b', 's'; print readlink 's', "\n"; find(sub { print "$File::Find::name\n" if -f }, 'd'); opendir my $d, '.'; print join(' ', sort readdir $d), "\n"; print -e 'nosuch' ? 1 : 0, " $!\n"; open $f, '<', 'nosuch' or print "$!\n"; rmtree 'd'; print -d 'd' ? 1 : 0, "\n"; utime 5, 6, 'b'; print join(',', (stat 'b')[8, 9]), "\n"; print unlink('b', 's'), "\n"; sysopen my $h, 'x', O_CREAT | O_EXCL | O_WRONLY, 0600; print sysopen($h, 'x', O_CREAT | O_EXCL) ? 1 : $!, "\n"; print POSIX::getpid() == $$, " ", (POSIX::uname())[0], " ", POSIX::strftime('%F', gmtime 0), "\n";
    "#,
    ),
    Case::perl(
        "perl/sockets",
        r#"
        use Socket; use IO::Socket::UNIX; use IO::Select; socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC; if (!fork) { close $a; while (<$b>) { syswrite $b, uc } exit } close $b; syswrite $a, "hello\n"; print scalar <$a>; close $a; wait;
        my $s = IO::Socket::UNIX->new(Local => '/tmp/ps', Listen => 5) or die; if (!fork) { my $c = IO::Socket::UNIX->new(Peer => '/tmp/ps'); print $c "client $_\n" for 1..3; exit } my $c = $s->accept; print while <$c>; wait; my $sel = IO::Select->new($s); print scalar($sel->can_read(0.05)), "\n";
    "#,
    ),
    Case::bash(
        "perl/one-liners",
        "perl -ne 'print if /root/' /etc/passwd; perl -F: -lane 'print $F[0]' /etc/passwd | head -2; perl -pi.bak -e 's/root/X/' /etc/passwd; head -1 /etc/passwd; perl -MList::Util=sum -e 'print sum(1..100), \"\\n\"'; perl -e 'my %h; $h{$_ % 1000}++ for 1..300000; print scalar(keys %h), \"\\n\"'; perl -MDigest::SHA=sha1_hex -e 'print sha1_hex(\"a\"), \"\\n\"'; perl -MStorable -e 'store {a=>1}, \"/tmp/st\"; print retrieve(\"/tmp/st\")->{a}, \"\\n\"'; perl -MThread::Queue -Mthreads -e 'my $q = Thread::Queue->new(1..5); my @t = map { threads->create(sub { my $s = 0; while (defined(my $x = $q->dequeue_nb)) { $s += $x } $s }) } 1..3; my $s = 0; $s += $_->join for @t; print \"$s\\n\"'; perl -e 'die \"dead\\n\"'; echo $?; perl -c -e 'print 1'; perl -V:version | cut -c1-7",
    ),
];
