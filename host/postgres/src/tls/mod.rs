//! TLS to a server: which mode, which certificates, and whether a server's is good.
//!
//! The files are read when the configuration is made, and again before a log-in once one of them has changed, so that
//! renewed certificates need no restart.

mod certificate;
mod explain;
mod material;
mod verify;

use std::{path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use rustls::{ClientConfig, SupportedProtocolVersion};

pub(crate) use self::{certificate::server_end_point, explain::explain};
use crate::{ConfigError, config::Stamp};

/// The protocol's name in the handshake; a direct handshake must agree on it (PostgreSQL documentation, "SSL Session
/// Encryption").
pub(crate) const ALPN: &[u8] = b"postgresql";

/// libpq's `sslmode`, the strictest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server refuses otherwise.
    Allow,
    /// Encrypted if the server can.
    Prefer,
    /// Encrypted.
    Require,
    /// Encrypted, and the server's certificate is one that the root certificate vouches for. With a root certificate
    /// the modes before this one ask for that too, whenever they encrypt.
    VerifyCa,
    /// The same, and it is the certificate of the host that was named.
    VerifyFull,
}

/// One way to go about a connection's encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// None.
    None,
    /// If the server offers it.
    IfOffered,
    /// Or no connection.
    Required,
}

/// Whose signature makes a server's certificate good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Nobody's is needed.
    None,
    /// Those in a file.
    File(PathBuf),
    /// Those that the system trusts, or those that the environment names instead.
    System { file: Option<PathBuf>, folder: Option<PathBuf> },
}

/// What TLS is to be spoken with.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) roots: Roots,
    /// Lists of certificates that are not good any more.
    pub(crate) revoked: Option<PathBuf>,
    /// The client's certificate and its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    /// Whether the server is told the host's name.
    pub(crate) sni: bool,
    /// Whether the name in the certificate must be the host's.
    pub(crate) names: bool,
}

/// How one database's sessions are encrypted.
#[derive(Debug)]
pub(crate) struct Tls {
    mode: Mode,
    direct: bool,
    plan: Plan,
    loaded: Mutex<Option<Loaded>>,
}

#[derive(Debug)]
struct Loaded {
    stamps: Vec<Stamp>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files, unless the mode has no use for them.
    pub(crate) fn new(mode: Mode, direct: bool, plan: Plan) -> Result<Self, ConfigError> {
        let tls = Self { mode, direct, plan, loaded: Mutex::default() };
        if mode > Mode::Disable {
            tls.client()?;
        }
        Ok(tls)
    }

    /// Never encrypted.
    pub(crate) fn off() -> Self {
        let plan = Plan {
            roots: Roots::None,
            revoked: None,
            client: None,
            versions: rustls::ALL_VERSIONS,
            sni: false,
            names: false,
        };
        Self { mode: Mode::Disable, direct: false, plan, loaded: Mutex::default() }
    }

    /// The ways to try, in their order. A unix socket needs no encryption and has none, in any mode.
    pub(crate) fn ways(&self, local: bool) -> &'static [Encryption] {
        match self.mode {
            _ if local => &[Encryption::None],
            Mode::Disable => &[Encryption::None],
            Mode::Allow => &[Encryption::None, Encryption::Required],
            Mode::Prefer => &[Encryption::IfOffered, Encryption::None],
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => &[Encryption::Required],
        }
    }

    /// Whether the handshake begins at once, without asking the server first.
    pub(crate) fn is_direct(&self) -> bool {
        self.direct
    }

    /// Whether the host must have a name that its certificate can hold.
    pub(crate) fn needs_name(&self) -> bool {
        self.plan.names
    }

    /// What to speak TLS with now. Looks at files: not for a runtime's worker.
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>, ConfigError> {
        let stamps = self.plan.stamps();
        let mut loaded = self.loaded.lock();
        match &*loaded {
            Some(loaded) if loaded.stamps == stamps => Ok(Arc::clone(&loaded.client)),
            _ => {
                let client = material::load(&self.plan)?;
                *loaded = Some(Loaded { stamps, client: Arc::clone(&client) });
                Ok(client)
            }
        }
    }
}

impl Plan {
    fn stamps(&self) -> Vec<Stamp> {
        let roots = match &self.roots {
            Roots::None => [None, None],
            Roots::File(path) => [Some(path), None],
            Roots::System { file, folder } => [file.as_ref(), folder.as_ref()],
        };
        let client = self.client.iter().flat_map(|(certificate, key)| [certificate, key]);
        roots.into_iter().flatten().chain(&self.revoked).chain(client).map(|path| Stamp::of(path)).collect()
    }
}
