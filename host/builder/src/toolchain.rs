//! The private Python environment that builds run in: pinned tools, in the cache, apart from the user's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{Cache, KeyMaker, create_folder};
use crate::command::run;
use crate::progress::step;
use crate::{BuildError, Progress, assets};

/// What is installed, exactly. The scripts use pip's internals, so pip is pinned like the rest.
const PINNED: [&str; 3] = ["pip==26.3", "componentize-py==0.25.1", "zstandard==0.25.0"];

/// What pip is told so that it takes wheels for the guest and builds none.
pub(crate) const WHEELS_OF_THE_GUEST: [&str; 9] = [
    "--only-binary=:all:",
    "--implementation",
    "cp",
    "--abi",
    "cp314",
    "--python-version",
    "3.14",
    "--platform",
    "wasi_0_2_wasm32",
];

const OLDEST_PYTHON: (u32, u32) = (3, 10);

/// A Python environment with componentize-py, and the libraries that WASI extensions link against.
#[derive(Debug)]
pub(crate) struct Toolchain {
    folder: PathBuf,
}

impl Toolchain {
    /// Finds the environment, or makes it (ten seconds and the package index).
    pub(crate) fn ensure(cache: &Cache, progress: &dyn Progress) -> Result<Self, BuildError> {
        let base = BasePython::find()?;
        let mut key =
            KeyMaker::default().part(&base.version).part(base.executable.as_os_str().as_encoded_bytes());
        PINNED.iter().for_each(|pin| key.add(pin));
        key.add(assets::LIBS_SCRIPT);
        let folder = cache.entry("toolchain", &key.finish(), |folder| {
            step(progress, "make a private Python environment", || make(&base, folder, progress))
        })?;
        Ok(Self { folder })
    }

    /// The Debian packages that [`Toolchain::ensure`] would miss.
    pub(crate) fn missing_packages() -> Vec<&'static str> {
        let Ok(base) = BasePython::find() else { return vec!["python3", "python3-venv"] };
        let probe = Command::new(base.executable).args(["-I", "-c", "import ensurepip"]).output();
        if probe.is_ok_and(|output| output.status.success()) { Vec::new() } else { vec!["python3-venv"] }
    }

    /// Names this environment's content.
    pub(crate) fn name(&self) -> &[u8] {
        self.folder.file_name().unwrap_or_default().as_encoded_bytes()
    }

    /// The environment's Python, isolated from the user's variables and site folders. pip's own variables
    /// (`PIP_INDEX_URL` and so on) still count.
    pub(crate) fn python(&self) -> Command {
        python_of(&self.folder)
    }

    /// One of this crate's scripts, ready to be given arguments.
    pub(crate) fn script(&self, text: &str) -> Command {
        let mut command = self.python();
        command.args(["-I", "-c", text]);
        command
    }

    /// componentize-py, ready to be given arguments. It looks for packages beyond its `-p` folders in the
    /// environment it finds; this one is empty.
    pub(crate) fn componentize(&self) -> Command {
        let mut command = self.script("import componentize_py; componentize_py.script()");
        command.env("VIRTUAL_ENV", self.folder.join("empty")).env("RUST_BACKTRACE", "0");
        command
    }

    /// The folder with `libpython3.14.so` and `libc.so`.
    pub(crate) fn libraries(&self) -> PathBuf {
        self.folder.join("libs")
    }
}

fn python_of(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("venv/bin/python"));
    command.env_remove("VIRTUAL_ENV").env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    command
}

fn make(base: &BasePython, folder: &Path, progress: &dyn Progress) -> Result<(), BuildError> {
    let mut venv = Command::new(&base.executable);
    let outcome = run(venv.args(["-I", "-m", "venv"]).arg(folder.join("venv")), progress)?;
    if !outcome.status.success() && outcome.tail.contains("ensurepip") {
        return Err(BuildError::ToolMissing {
            what: format!("the venv module of {}", base.executable.display()),
            hint: "`apt-get install python3-venv`, or set FASTERAPI_PYTHON to another Python".into(),
        });
    }
    outcome.success("`python -m venv`")?;
    let mut install = python_of(folder);
    install.args(["-I", "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-input"]).args(PINNED);
    run(&mut install, progress)?.success("`pip install` of the build tools")?;
    create_folder(&folder.join("empty/lib/site-packages"))?;
    create_folder(&folder.join("libs"))?;
    let mut libs = python_of(folder);
    libs.args(["-I", "-c", assets::LIBS_SCRIPT]).arg(folder.join("libs"));
    run(&mut libs, progress)?.success("taking libpython out of componentize-py").map(drop)
}

/// The user's Python that the environment is made with.
struct BasePython {
    executable: PathBuf,
    version: String,
}

impl BasePython {
    fn find() -> Result<Self, BuildError> {
        if let Some(chosen) = std::env::var_os("FASTERAPI_PYTHON").filter(|value| !value.is_empty()) {
            let found = Self::probe(Path::new(&chosen));
            return found.ok_or_else(|| missing(&format!("FASTERAPI_PYTHON={}", chosen.display())));
        }
        let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
        names.iter().find_map(|name| Self::probe(Path::new(name))).ok_or_else(|| missing("python3"))
    }

    /// Asks the interpreter itself: a name in PATH may be a shim.
    fn probe(program: &Path) -> Option<Self> {
        let ask = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)";
        let output = Command::new(program).args(["-I", "-c", ask]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let mut words = text.trim_end().splitn(3, ' ');
        let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let executable = PathBuf::from(words.next()?);
        (version >= OLDEST_PYTHON).then(|| Self { executable, version: format!("{version:?}") })
    }
}

fn missing(what: &str) -> BuildError {
    let (major, minor) = OLDEST_PYTHON;
    BuildError::ToolMissing {
        what: format!("a Python of version {major}.{minor} or newer ({what})"),
        hint: "`apt-get install python3 python3-venv`, or set FASTERAPI_PYTHON".into(),
    }
}
