//! A backend of the shape of FastAPI's full-stack template, on its packages and a real Postgres.
//!
//! Of what the template depends on, these are not there: `psycopg` (no sockets; SQLAlchemy's dialect `postgresql+fasterapi`
//! takes its place), `emails` (lxml, and no sockets to send by: mails are only written), `sentry-sdk` (no sockets).

use fasterapi_tests::{
    Guest, Host,
    http::{Answer, Ask, ask},
    postgres::{Postgres, choice},
};
use serde_json::{Value, json};

const NOBODY: &str = "";

struct Backend {
    host: Host,
}

impl Backend {
    async fn send(&self, ask: Ask, token: &str) -> Answer {
        let ask = if token.is_empty() { ask } else { ask.header("authorization", format!("Bearer {token}")) };
        self.host.client().send(ask).await
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let ask = ask(method, &format!("/api/v1{path}"));
        let ask = match body {
            Some(body) => ask.json(body.to_string()),
            None => ask,
        };
        self.send(ask, token).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, None).await
    }

    async fn log_in(&self, email: &str, password: &str) -> Answer {
        let form = format!("username={}&password={password}", email.replace('@', "%40"));
        let ask = ask("POST", "/api/v1/login/access-token");
        self.send(ask.body("application/x-www-form-urlencoded", form), NOBODY).await
    }

    async fn token(&self, email: &str, password: &str) -> String {
        let answer = self.log_in(email, password).await.expect(200).json();
        assert_eq!(answer["token_type"], "bearer");
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

fn detail(answer: Answer, status: u16) -> String {
    answer.expect(status).json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_backend_on_the_templates_packages() {
    let postgres = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let url = postgres.database().await;
    let host = Host::start(Guest::BACKEND, |config| config.database = Some(choice(url))).await;
    let backend = Backend { host };
    assert_eq!(backend.get("/utils/health-check/", NOBODY).await.expect(200).json(), json!(true));
    let admin = backend.token("admin@example.com", "first-password").await;
    let ada = signing_up(&backend, &admin).await;
    items(&backend, &admin, &ada).await;
    mails(&backend, &admin).await;
    leaving(&backend, &admin, &ada).await;
    let ask = ask("OPTIONS", "/api/v1/users/me").header("origin", "http://front.example");
    let allowed =
        backend.send(ask.header("access-control-request-method", "PATCH"), NOBODY).await.expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("http://front.example"));
    let described = backend.get("/openapi.json", NOBODY).await.expect(200).json();
    assert_eq!(described["paths"]["/api/v1/items/{item_id}"]["put"]["operationId"], "items-changed");
    backend.host.stop().await;
}

/// The token of a user who is new.
async fn signing_up(backend: &Backend, admin: &str) -> String {
    let new = json!({"email": "ada@example.com", "password": "password1", "full_name": "Ada"});
    let made = backend.call("POST", "/users/signup", NOBODY, Some(new.clone())).await.expect(200).json();
    assert_eq!((&made["email"], &made["is_superuser"]), (&json!("ada@example.com"), &json!(false)));
    assert!(made.get("hashed_password").is_none(), "{made}");
    let again = backend.call("POST", "/users/signup", NOBODY, Some(new)).await;
    assert_eq!(detail(again, 409), "There is a user with this email already");
    let bad = json!({"email": "no", "password": "short"});
    let errors = backend.call("POST", "/users/signup", NOBODY, Some(bad)).await.expect(422).json();
    assert_eq!(errors["detail"].as_array().unwrap().len(), 2);
    for (email, password) in [("ada@example.com", "wrong"), ("eve@example.com", "password1")] {
        assert_eq!(
            detail(backend.log_in(email, password).await, 400),
            "Incorrect email or password",
            "{email}"
        );
    }
    let ada = backend.token("ada@example.com", "password1").await;
    assert_eq!(detail(backend.get("/users/", &ada).await, 403), "The user doesn't have enough privileges");
    assert_eq!(backend.get("/users/", admin).await.expect(200).json()["count"], 2);
    assert_eq!(
        detail(backend.get("/users/me", "no.token.here").await, 403),
        "Could not validate credentials"
    );
    assert_eq!(detail(backend.get("/users/me", NOBODY).await, 401), "Not authenticated");
    let wanted = Some(json!({"full_name": "Ada L."}));
    let changed = backend.call("PATCH", "/users/me", &ada, wanted).await.expect(200).json();
    assert_eq!(changed["full_name"], "Ada L.");
    let wrong = Some(json!({"current": "wrong", "new": "password2"}));
    assert_eq!(
        detail(backend.call("PATCH", "/users/me/password", &ada, wrong).await, 400),
        "Incorrect password"
    );
    let right = Some(json!({"current": "password1", "new": "password2"}));
    backend.call("PATCH", "/users/me/password", &ada, right).await.expect(200);
    backend.log_in("ada@example.com", "password1").await.expect(400);
    backend.token("ada@example.com", "password2").await
}

async fn items(backend: &Backend, admin: &str, ada: &str) {
    let made = |token, title: &str| backend.call("POST", "/items/", token, Some(json!({"title": title})));
    let lamp = made(ada, "Lamp").await.expect(200).json();
    let desk = made(admin, "Desk").await.expect(200).json();
    made(ada, "").await.expect(422);
    let (lamp, desk) = (format!("/items/{}", text(&lamp["id"])), format!("/items/{}", text(&desk["id"])));
    let titles = |answer: Answer| {
        let data = answer.expect(200).json()["data"].as_array().unwrap().clone();
        data.iter().map(|item| text(&item["title"])).collect::<Vec<_>>()
    };
    assert_eq!(titles(backend.get("/items/", ada).await), ["Lamp"]);
    assert_eq!(titles(backend.get("/items/", admin).await), ["Desk", "Lamp"]);
    assert_eq!(titles(backend.get("/items/?skip=1&limit=1", admin).await), ["Lamp"]);
    let change = Some(json!({"description": "bright"}));
    let changed = backend.call("PUT", &lamp, ada, change.clone()).await.expect(200).json();
    assert_eq!((&changed["title"], &changed["description"]), (&json!("Lamp"), &json!("bright")));
    for (method, body) in [("GET", None), ("PUT", change), ("DELETE", None)] {
        let refused = backend.call(method, &desk, ada, body).await;
        assert_eq!(detail(refused, 403), "Not enough permissions", "{method}");
    }
    backend.call("DELETE", &desk, admin, None).await.expect(200);
    assert_eq!(detail(backend.get(&desk, admin).await, 404), "Item not found");
    backend.get("/items/no-uuid", ada).await.expect(422);
}

async fn mails(backend: &Backend, admin: &str) {
    let mail = backend.call("POST", "/password-recovery-html/ada@example.com", admin, None).await.expect(200);
    assert_eq!(mail.header("subject"), Some("Backend: new password"));
    assert!(mail.text().starts_with("<p>Backend: a new password for ada@example.com</p>"), "{}", mail.text());
    backend.call("POST", "/password-recovery-html/eve@example.com", admin, None).await.expect(404);
}

/// A user goes, and what is theirs with them.
async fn leaving(backend: &Backend, admin: &str, ada: &str) {
    assert_eq!(backend.get("/items/", admin).await.expect(200).json()["count"], 1);
    backend.call("DELETE", "/users/me", ada, None).await.expect(200);
    assert_eq!(detail(backend.get("/users/me", ada).await, 404), "User not found");
    assert_eq!(backend.get("/items/", admin).await.expect(200).json()["count"], 0);
    backend.call("DELETE", "/users/me", admin, None).await.expect(403);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
