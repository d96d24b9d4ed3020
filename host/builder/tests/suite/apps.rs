//! Whole builds, and what is said of apps that cannot be built.

use std::fs;

use fasterapi_builder::Manifest;
use fasterapi_core::manifest::{self, AppKind, RouteKind};

use crate::suite::Project;

const FASTAPI: &str = "
import uvicorn
from fastapi import FastAPI
app = FastAPI()

@app.get('/items/{item_id}')
def read(item_id: int) -> dict[str, int]:
    return {'id': item_id}

if __name__ == '__main__':
    uvicorn.run(app)
";

fn in_file(project: &Project) -> Manifest {
    let component = fs::read(project.path().join("app.wasm")).unwrap();
    manifest::read(&component).unwrap().unwrap()
}

#[test]
fn a_fastapi_app_becomes_a_component_with_its_routes_and_an_unchanged_one_comes_from_the_cache() {
    let project = Project::of(&[("main.py", FASTAPI), ("requirements.txt", "fastapi\nuvicorn[standard]\n")]);
    let built = project.build("main:app").unwrap();
    assert_eq!(built.manifest, in_file(&project));
    assert_eq!(built.manifest.kind, AppKind::Fastapi);
    assert!(!built.manifest.uses_postgres);
    assert!(built.manifest.packages.contains_key("pydantic-core"));
    assert!(!built.manifest.packages.contains_key("uvicorn"));
    let route = built.manifest.routes.iter().find(|route| route.path == "/items/{item_id}").unwrap();
    assert_eq!((route.kind, route.methods.as_slice()), (RouteKind::Http, ["GET".to_owned()].as_slice()));
    let again = project.build("main:app").unwrap();
    assert!(again.cached);
    assert_eq!(again.manifest, built.manifest);
}

#[test]
fn an_app_without_dependencies_is_small() {
    let source = "async def app(scope, receive, send): ...\n";
    let project = Project::of(&[("src/shop/web.py", source), ("src/shop/__init__.py", "")]);
    let built = project.build("shop.web:app").unwrap();
    assert_eq!(built.manifest.kind, AppKind::Asgi);
    assert!(built.manifest.packages.is_empty());
    assert!(built.bytes < 26 << 20, "{} bytes", built.bytes);
}

#[test]
fn a_wrong_name_is_one_line_with_a_hint() {
    let project = Project::of(&[("main.py", FASTAPI)]);
    let text = project.refusal("main:ap");
    assert_eq!(text, "module `main` has no attribute `ap`\nhint: did you mean `app`?");
    let text = project.refusal("mian:app");
    assert!(text.contains("`mian`") && !text.contains("Traceback"), "{text}");
}

#[test]
fn an_exception_while_importing_shows_the_users_traceback_and_only_that() {
    let helper = "def connect():\n    raise RuntimeError('no such thing')\n";
    let main = "import helper\nhelper.connect()\n";
    let text = Project::of(&[("main.py", main), ("helper.py", helper)]).refusal("main:app");
    for part in
        ["Traceback (most recent call last)", "main.py\", line 2", "helper.py\", line 2", "no such thing"]
    {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    for part in ["importlib", "_entry", "componentize", "Stack backtrace", "/tmp"] {
        assert!(!text.contains(part), "{part} is in:\n{text}");
    }
}

#[test]
fn a_syntax_error_shows_the_line() {
    let text = Project::of(&[("main.py", "app = (\n")]).refusal("main:app");
    assert!(text.contains("main.py\", line 1") && text.contains("SyntaxError"), "{text}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let project = Project::of(&[]);
    let gone = project.path().join("gone");
    let request = fasterapi_builder::BuildRequest {
        target: "main:app".parse().unwrap(),
        dir: gone.clone(),
        output: project.path().join("app.wasm"),
    };
    let builder = fasterapi_builder::Builder::new(fasterapi_builder::Cache::open().unwrap());
    let error = builder.build(&request, &|_: fasterapi_builder::Event<'_>| {}).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{}: not a folder", gone.display())), "{error}");
}
