//! Requests of ioctl(2) on files and sockets; those of terminals are in `tty`.

use crate::flags::numbers;

numbers! {
    /// Requests on files.
    pub const FILE_REQUESTS: u32 {
        FIBMAP = 0x1;
        FIGETBSZ = 0x2;
        FIONREAD = 0x541b;
        FIONBIO = 0x5421;
        FIONCLEX = 0x5450;
        FIOCLEX = 0x5451;
        FIOASYNC = 0x5452;
        FIOQSIZE = 0x5460;
        FIFREEZE = 0xc004_5877;
        FITHAW = 0xc004_5878;
        FITRIM = 0xc018_5879;
        FICLONE = 0x4004_9409;
        FICLONERANGE = 0x4020_940d;
        FIDEDUPERANGE = 0xc018_9436;
        FS_IOC_GETFLAGS = 0x8008_6601;
        FS_IOC_SETFLAGS = 0x4008_6602;
        FS_IOC_GETVERSION = 0x8008_7601;
        FS_IOC_FIEMAP = 0xc020_660b;
        FS_IOC_FSGETXATTR = 0x801c_581f;
        FS_IOC_FSSETXATTR = 0x401c_5820;
        BLKROGET = 0x125e;
        BLKGETSIZE = 0x1260;
        BLKSSZGET = 0x1268;
        BLKGETSIZE64 = 0x8008_1272;
        NS_GET_USERNS = 0xb701;
        NS_GET_PARENT = 0xb702;
        NS_GET_NSTYPE = 0xb703;
        NS_GET_OWNER_UID = 0xb704;
    }

    /// Requests on sockets.
    pub const SOCKET_REQUESTS: u32 {
        FIOSETOWN = 0x8901;
        SIOCSPGRP = 0x8902;
        FIOGETOWN = 0x8903;
        SIOCGPGRP = 0x8904;
        SIOCATMARK = 0x8905;
        SIOCGSTAMP = 0x8906;
        SIOCGSTAMPNS = 0x8907;
        SIOCOUTQNSD = 0x894b;
        SIOCGIFNAME = 0x8910;
        SIOCGIFCONF = 0x8912;
        SIOCGIFFLAGS = 0x8913;
        SIOCSIFFLAGS = 0x8914;
        SIOCGIFADDR = 0x8915;
        SIOCSIFADDR = 0x8916;
        SIOCGIFDSTADDR = 0x8917;
        SIOCSIFDSTADDR = 0x8918;
        SIOCGIFBRDADDR = 0x8919;
        SIOCSIFBRDADDR = 0x891a;
        SIOCGIFNETMASK = 0x891b;
        SIOCSIFNETMASK = 0x891c;
        SIOCGIFMETRIC = 0x891d;
        SIOCSIFMETRIC = 0x891e;
        SIOCGIFMTU = 0x8921;
        SIOCSIFMTU = 0x8922;
        SIOCSIFNAME = 0x8923;
        SIOCSIFHWADDR = 0x8924;
        SIOCGIFHWADDR = 0x8927;
        SIOCGIFSLAVE = 0x8929;
        SIOCSIFSLAVE = 0x8930;
        SIOCADDMULTI = 0x8931;
        SIOCDELMULTI = 0x8932;
        SIOCGIFINDEX = 0x8933;
        SIOCSIFPFLAGS = 0x8934;
        SIOCGIFPFLAGS = 0x8935;
        SIOCSIFHWBROADCAST = 0x8937;
        SIOCGIFBR = 0x8940;
        SIOCSIFBR = 0x8941;
        SIOCGIFTXQLEN = 0x8942;
        SIOCSIFTXQLEN = 0x8943;
        SIOCETHTOOL = 0x8946;
        SIOCGMIIPHY = 0x8947;
        SIOCGMIIREG = 0x8948;
        SIOCSMIIREG = 0x8949;
        SIOCWANDEV = 0x894a;
        SIOCGSKNS = 0x894c;
        SIOCGIFMAP = 0x8970;
    }
}
