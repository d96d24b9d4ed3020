//! `fasterapi-host build`.

use fasterapi_builder::{BuildError, BuildRequest, Builder, Cache};
use fasterapi_core::Origin;

use crate::{args::BuildArgs, exit::Failure, output};

pub(crate) fn run(args: &BuildArgs) -> Result<(), Failure> {
    let target = args.target.parse().map_err(failure)?;
    let request = BuildRequest { target, dir: args.dir.clone(), output: args.output.clone() };
    let builder = Builder::new(Cache::open().map_err(failure)?).with_links(args.find_links.clone());
    let built = builder.build(&request, &output::progress).map_err(failure)?;
    let size = bytesize::ByteSize(built.bytes);
    let (path, routes) = (built.path.display(), built.manifest.routes.len());
    let cached = if built.cached { ", unchanged" } else { "" };
    output::line(format_args!("{path}: {size}, {routes} routes{cached}"));
    Ok(())
}

fn failure(error: BuildError) -> Failure {
    if error.origin() == Origin::Guest { Failure::input(error) } else { Failure::other(error) }
}
