use super::*;

const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        target: "main:app".into(),
        kind: AppKind::Fasterapi,
        framework: Some(Framework { name: "fastapi".into(), version: "0.165.0".into() }),
        sdk: "0.1.0".into(),
        python: "3.14.0".into(),
        builder: "0.1.0".into(),
        uses_postgres: true,
        isolation: Isolation::Route,
        server: BTreeMap::from([("compression".into(), serde_json::json!(true))]),
        routes: vec![Route {
            kind: RouteKind::Http,
            path: "/items/{item_id}".into(),
            methods: vec!["GET".into(), "HEAD".into()],
            name: Some("get_item".into()),
            in_schema: true,
            isolation: Isolation::App,
            plan: Some(Plan {
                number: 0,
                status: 200,
                path: vec!["item_id".into()],
                query: vec![Wanted { name: "q".into(), list: false }],
                headers: vec![Wanted { name: "x-many".into(), list: true }],
                body: Some(BodyKind::Json),
                head: false,
            }),
            reason: None,
            docs: false,
        }],
        packages: BTreeMap::from([("fastapi".into(), "0.165.0".into())]),
        answers: None,
        layers: None,
        environment_read: BTreeMap::from([("JWT_SECRET".into(), "main.py:3".into())]),
    }
}

#[test]
fn routes_that_share_their_memory_are_asked_for_every_answer() {
    let mut shared = manifest();
    let not_found = br#"{"not_found": {"status": 404, "headers": [], "body": ""}, "redirect_slashes": true}"#;
    shared.answers = Some(serde_json::from_slice(not_found).unwrap());
    shared.layers = Some(Layers { early: true, list: Vec::new() });
    let mut alone = shared.clone();
    shared.isolate(Isolation::App);
    assert!(shared.answers.is_none() && shared.layers.is_some_and(|layers| !layers.early));
    alone.isolate(Isolation::Route);
    assert_eq!((alone.isolation, alone.routes[0].isolation), (Isolation::Route, Isolation::Route));
    assert!(alone.answers.is_some());
}

fn with(edit: impl FnOnce(&mut Manifest)) -> Result<Vec<u8>, ManifestError> {
    let mut manifest = manifest();
    edit(&mut manifest);
    manifest.to_json()
}

#[test]
fn a_plan_is_bounded() {
    let broken: [fn(&mut Plan); 4] = [
        |plan| plan.status = 199,
        |plan| plan.path = vec!["x".repeat(5000)],
        |plan| plan.query = vec![Wanted { name: "q".into(), list: false }; 257],
        |plan| plan.headers = vec![Wanted { name: "a\nb".into(), list: false }],
    ];
    for edit in broken {
        let written = with(|manifest| {
            manifest.routes.iter_mut().filter_map(|route| route.plan.as_mut()).for_each(edit);
        });
        assert!(matches!(written, Err(ManifestError::OutOfBounds { .. })), "{written:?}");
    }
}

#[test]
fn what_is_appended_is_read_back() {
    let mut component = EMPTY.to_vec();
    append(&mut component, &manifest()).unwrap();
    assert_eq!(read(&component).unwrap(), Some(manifest()));
}

#[test]
fn a_component_of_another_maker_has_none() {
    assert_eq!(read(EMPTY).unwrap(), None);
    let named = [EMPTY, b"\0\x05\x04name"].concat();
    assert_eq!(read(&named).unwrap(), None);
}

#[test]
fn a_second_manifest_is_refused_on_both_sides() {
    let mut component = EMPTY.to_vec();
    append(&mut component, &manifest()).unwrap();
    assert!(matches!(append(&mut component, &manifest()), Err(ManifestError::Twice { .. })));
    let twice = [component.as_slice(), component.get(8..).unwrap()].concat();
    assert!(matches!(read(&twice), Err(ManifestError::Twice { .. })));
}

#[test]
fn what_is_not_a_component_is_named() {
    assert!(matches!(read(b""), Err(ManifestError::NotWasm)));
    assert!(matches!(read(b"#!/bin/sh"), Err(ManifestError::NotWasm)));
    assert!(matches!(read(b"\0asm\x01\0\0\0"), Err(ManifestError::CoreModule)));
}

#[test]
fn every_truncation_is_an_error_or_a_component_without_the_section() {
    let mut component = EMPTY.to_vec();
    append(&mut component, &manifest()).unwrap();
    for length in 0..component.len() {
        let cut = read(component.get(..length).unwrap());
        let whole_sections_only = length == EMPTY.len();
        assert_eq!(cut.is_ok(), whole_sections_only, "cut to {length} bytes: {cut:?}");
    }
}

#[test]
fn a_length_beyond_the_file_is_corrupt() {
    let huge = [EMPTY, &[0, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    assert!(matches!(read(&huge), Err(ManifestError::Corrupt { at: 8 })));
    let endless = [EMPTY, &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]].concat();
    assert!(matches!(read(&endless), Err(ManifestError::Corrupt { at: 8 })));
}

#[test]
fn unknown_fields_are_ignored_and_another_format_is_refused() {
    let json = br#"{"format":3,"target":"a:b","kind":"asgi","later":{"x":1}}"#;
    assert_eq!(Manifest::from_json(json).unwrap().target, "a:b");
    let other = br#"{"format":4,"anything":"else"}"#;
    assert!(matches!(Manifest::from_json(other), Err(ManifestError::Format { found: 4 })));
}

#[test]
fn a_kind_from_the_future_reads_as_the_general_one() {
    let json = br#"{"format":3,"target":"a:b","kind":"flask","isolation":"tenant","routes":[{"kind":"sse","path":"/x"}]}"#;
    let manifest = Manifest::from_json(json).unwrap();
    assert_eq!(manifest.kind, AppKind::Asgi);
    assert_eq!(manifest.isolation, Isolation::Route);
    assert_eq!(manifest.routes.first().unwrap().kind, RouteKind::Mount);
}

#[test]
fn hostile_values_are_refused() {
    let route = |edit: fn(&mut Route)| with(|m| m.routes.iter_mut().for_each(edit));
    assert!(route(|r| r.path = "items".into()).is_err());
    assert!(route(|r| r.path = "/a\r\nX: y".into()).is_err());
    assert!(route(|r| r.path = format!("/{}", "a".repeat(MAX_TEXT))).is_err());
    assert!(route(|r| r.methods = vec!["GET /".into()]).is_err());
    assert!(route(|r| r.methods = vec![String::new()]).is_err());
    assert!(route(|r| r.methods = vec!["GET".into(); MAX_METHODS + 1]).is_err());
    assert!(with(|m| m.target = "a\u{1b}[31m:b".into()).is_err());
    assert!(with(|m| m.environment_read = BTreeMap::from([("A".into(), "a\u{1b}[31m:1".into())])).is_err());
    let many = |m: &mut Manifest| m.routes = vec![m.routes[0].clone(); MAX_ROUTES + 1];
    assert!(with(many).is_err());
}

#[test]
fn an_oversized_manifest_is_refused_before_parsing() {
    let json = vec![b' '; MAX_BYTES + 1];
    assert!(matches!(Manifest::from_json(&json), Err(ManifestError::TooLarge { .. })));
}

#[test]
fn deeply_nested_json_is_an_error_not_a_crash() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let json = format!(r#"{{"format":3,"target":"a:b","kind":"asgi","server":{{"x":{deep}}}}}"#);
    assert!(matches!(Manifest::from_json(json.as_bytes()), Err(ManifestError::Malformed(_))));
}
