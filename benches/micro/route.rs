//! Route matching: an app of 100 routes, the requests of its users.

use std::hint::black_box;

use fasterapi_router::{RouteKind, RoutePattern, Router, decode_path};

use crate::suite::Suite;

pub fn run(suite: &mut Suite) {
    let patterns: Vec<String> = (0..25)
        .flat_map(|n| {
            let base = format!("/api/v1/thing{n}");
            [
                base.clone(),
                format!("{base}/{{id:int}}"),
                format!("{base}/{{id}}/parts"),
                format!("{base}/{{id}}/parts/{{part}}"),
            ]
        })
        .collect();
    let routes =
        patterns.iter().map(|pattern| RoutePattern { pattern, methods: &["GET"], kind: RouteKind::Route });
    let router = Router::new(routes);
    for (name, path) in [
        ("route match, 100 routes, static path", "/api/v1/thing17"),
        ("route match, 100 routes, two parameters", "/api/v1/thing24/42/parts/left%20arm"),
        ("route match, 100 routes, no such path", "/api/v1/nothing/42"),
    ] {
        suite.time(name, |bencher, _| bencher.iter(|| router.find("GET", &decode_path(black_box(path)))));
    }
}
