//! WebSockets through a guest: as under uvicorn, many in one instance, and held to their limits.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use fasterapi_tests::{Guest, Host, eventually, logs, uvicorn::Uvicorn, wait::in_time};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};

pub(crate) type Client = WebSocketStream<TcpStream>;

async fn try_open(
    addr: SocketAddr,
    target: &str,
    headers: &[(&'static str, &str)],
) -> Result<(Client, String), String> {
    let tcp = TcpStream::connect(addr).await.unwrap();
    let mut request = format!("ws://127.0.0.1:{}{target}", addr.port()).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    match in_time("a handshake", client_async(request, tcp)).await {
        Ok((client, answer)) => {
            let own = |name: &str| name.starts_with("x-") || name == "sec-websocket-protocol";
            let headers = answer.headers().iter().filter(|(name, _)| own(name.as_str()));
            Ok((client, headers.fold(String::new(), |text, header| format!("{text}{header:?}\n"))))
        }
        Err(Error::Http(answer)) => {
            let mut text = format!("{}\n", answer.status());
            for name in ["content-type", "content-length", "x-why"] {
                let _ = writeln!(text, "{name}: {:?}", answer.headers().get(name));
            }
            let body = answer.body().clone().unwrap_or_default();
            Err(text + &String::from_utf8_lossy(&body))
        }
        Err(error) => panic!("{target}: {error}"),
    }
}

pub(crate) async fn open(addr: SocketAddr, target: &str) -> Client {
    try_open(addr, target, &[]).await.unwrap().0
}

async fn hear(client: &mut Client) -> Option<Message> {
    in_time("a message", client.next()).await.and_then(Result::ok)
}

pub(crate) async fn text(client: &mut Client) -> String {
    hear(client).await.unwrap().into_text().unwrap().to_string()
}

fn code(message: Option<Message>) -> Option<u16> {
    let Some(Message::Close(frame)) = message else { panic!("no close: {message:?}") };
    frame.map(|frame| frame.code.into())
}

fn close(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() }))
}

/// Opens a WebSocket, says all of `says`, and writes down all that is answered.
async fn talk(addr: SocketAddr, target: &str, headers: &[(&'static str, &str)], says: &[Message]) -> String {
    let (mut client, mut transcript) = match try_open(addr, target, headers).await {
        Ok(opened) => opened,
        Err(refused) => return refused,
    };
    for message in says {
        let closes = message.is_close();
        client.send(message.clone()).await.unwrap();
        if !closes {
            let _ = writeln!(transcript, "{:?}", hear(&mut client).await);
        }
    }
    while let Some(message) = hear(&mut client).await {
        let _ = writeln!(transcript, "{message:?}");
    }
    transcript
}

#[tokio::test]
async fn the_chat_of_the_example_works() {
    let host = Host::start(Guest::WEBSOCKET, |_| {}).await;
    let mut ada = open(host.addr(), "/chat/Ada").await;
    assert_eq!(text(&mut ada).await, "Ada is here (1 in the room)");
    let mut bob = open(host.addr(), "/chat/Bob").await;
    for client in [&mut ada, &mut bob] {
        assert_eq!(text(client).await, "Bob is here (2 in the room)");
    }
    bob.send(Message::text("hello")).await.unwrap();
    for client in [&mut ada, &mut bob] {
        assert_eq!(text(client).await, "Bob: hello");
    }
    bob.close(None).await.unwrap();
    assert_eq!(text(&mut ada).await, "Bob has left");
    host.stop().await;
}

#[tokio::test]
async fn every_talk_is_as_under_uvicorn() {
    let (uvicorn, host) = (Uvicorn::shared().await.addr(), Host::conformance().await.addr());
    let bytes = Message::binary(&b"\0\xff"[..]);
    let long = Message::text("long ".repeat(50_000));
    let echo = [Message::text("hé"), bytes, Message::text(""), Message::binary(&b""[..]), long];
    let with = |last: Message| echo.iter().cloned().chain([last]).collect::<Vec<_>>();
    let offers = ("sec-websocket-protocol", "chat.v1, chat.v2");
    let more = ("sec-websocket-protocol", "chat.v3");
    let tests = [("x-test", "a"), ("x-test", "b")];
    let json = [Message::text(r#"{"a":[1,"é"]}"#), close(1000, "")];
    type Talk<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a [Message]);
    let talks: &[Talk<'_>] = &[
        ("/ws/scope/a%20b?q=%31", &[offers, more, tests[0], tests[1]], &[]),
        ("/ws/echo", &[], &with(close(1000, "bye"))),
        ("/ws/last", &[], &[]),
        ("/ws/echo", &[], &with(close(4999, "é"))),
        ("/ws/last", &[], &[]),
        ("/ws/echo", &[], &with(Message::Close(None))),
        ("/ws/last", &[], &[]),
        ("/ws/chosen", &[offers], &[]),
        ("/ws/rejected", &[], &[]),
        ("/ws/denied", &[], &[]),
        ("/ws/raises", &[], &[]),
        ("/ws/refused", &[], &[]),
        ("/ws/policy", &[], &[]),
        ("/ws/typed/7?token=t", &[("agent", "a")], &[]),
        ("/ws/typed/7", &[], &[]),
        ("/ws/typed/x?token=t", &[], &[]),
        ("/ws/last", &[], &[]),
        ("/ws/orders", &[], &[]),
        ("/ws/json", &[], &json),
        ("/ws/none", &[], &[]),
        ("/items/5", &[], &[]),
    ];
    let mut report = String::new();
    for (target, headers, says) in talks {
        let expected = talk(uvicorn, target, headers, says).await;
        let found = talk(host, target, headers, says).await;
        // What the last talk left is told by the instance of its own route: not here.
        if expected != found && *target != "/ws/last" {
            let _ = writeln!(report, "{target}\n- {expected}\n+ {found}");
        }
    }
    assert!(report.is_empty(), "uvicorn (-) and the host (+) differ\n{report}");
}

/// All routes share one pool, so that one can tell what another one saw.
async fn with_last() -> Host {
    Host::start(Guest::SHARED_STATE, |_| {}).await
}

async fn last(host: &Host) -> serde_json::Value {
    let mut client = open(host.addr(), "/last").await;
    serde_json::from_str(&text(&mut client).await).unwrap()
}

#[tokio::test]
async fn a_handler_learns_how_its_client_left() {
    let host = with_last().await;
    for (says, code, reason) in
        [(close(1000, "bye"), 1000, "bye"), (close(4999, "é"), 4999, "é"), (Message::Close(None), 1005, "")]
    {
        let mut client = open(host.addr(), "/echo").await;
        client.send(says).await.unwrap();
        while hear(&mut client).await.is_some() {}
        eventually!(last(&host).await["echo"]["code"] == code);
        assert_eq!(last(&host).await["echo"]["reason"], reason);
    }
    let client = open(host.addr(), "/echo").await;
    drop(client);
    eventually!(last(&host).await["echo"]["code"] == 1006);
    // It never listens, and learns of it all the same.
    let mut client = open(host.addr(), "/ticks").await;
    assert_eq!(text(&mut client).await, "tick");
    drop(client);
    eventually!(last(&host).await["ticks"] == 1006);
}

#[tokio::test]
async fn a_hundred_clients_share_an_instance() {
    let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(open(host.addr(), "/ws/chat").await);
    }
    clients[0].send(Message::text("hello")).await.unwrap();
    for client in &mut clients {
        // Who opened last may be on its way in still.
        assert!(text(client).await.starts_with("hello to "));
    }
    eventually!({
        let (alive, idle) = host.census();
        alive - idle == 1
    });
    drop(clients);
    eventually!(host.census().0 == host.census().1);
}

#[tokio::test]
async fn a_full_instance_has_another_beside_it() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.max_websockets = 2).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(open(host.addr(), "/ws/chat").await);
    }
    // Those who are in the same one hear each other.
    clients[2].send(Message::text("alone")).await.unwrap();
    assert_eq!(text(&mut clients[2]).await, "alone to 1");
    // A spare may be under way.
    eventually!({
        let (alive, idle) = host.census();
        alive - idle == 2
    });
}

#[tokio::test]
async fn with_a_reuse_of_one_each_has_an_instance_of_its_own() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.max_reuse = 1).await;
    let mut clients = [open(host.addr(), "/ws/chat").await, open(host.addr(), "/ws/chat").await];
    for client in &mut clients {
        client.send(Message::text("alone")).await.unwrap();
        assert_eq!(text(client).await, "alone to 1");
    }
}

#[tokio::test]
async fn a_handler_that_only_computes_is_ended_with_its_instance() {
    let host =
        Host::start(Guest::CONFORMANCE, |config| config.instance.cpu = Duration::from_millis(300)).await;
    let mut clients = [open(host.addr(), "/ws/spin").await, open(host.addr(), "/ws/spin").await];
    let mut other = open(host.addr(), "/ws/echo").await;
    clients[0].send(Message::text("spin")).await.unwrap();
    for client in &mut clients {
        assert_eq!(code(hear(client).await), Some(1011));
    }
    other.send(Message::text("still here")).await.unwrap();
    assert_eq!(text(&mut other).await, "still here");
    eventually!(logs::have("instance discarded, with its WebSockets: the guest used its CPU budget"));
    open(host.addr(), "/ws/spin").await;
}

#[tokio::test]
async fn a_handler_that_never_ends_keeps_others_out_and_goes() {
    let host =
        Host::start(Guest::CONFORMANCE, |config| config.instance.background = Duration::from_millis(200))
            .await;
    drop(open(host.addr(), "/ws/deaf").await);
    eventually!(logs::have("a WebSocket's handler goes on 200ms after its client left"));
    eventually!(host.census().0 == host.census().1);
    open(host.addr(), "/ws/deaf").await;
}

#[tokio::test]
async fn what_the_app_ends_leaves_nothing_behind() {
    let host = Host::start(Guest::CONFORMANCE, |config| {
        // Who is still counted as inside keeps the next one out of the instance, for longer than a test waits.
        config.instance.background = Duration::from_secs(3600);
        config.max_websockets = 1;
        config.pool.max_instances = 1;
    });
    let host = host.await;
    for target in ["/ws/rejected", "/ws/denied", "/ws/raises", "/ws/rejected"] {
        assert!(try_open(host.addr(), target, &[]).await.is_err(), "{target}");
        eventually!(host.census() == (1, 1));
    }
    for target in ["/ws/policy", "/ws/last", "/ws/typed/7?token=t"] {
        let mut client = open(host.addr(), target).await;
        while hear(&mut client).await.is_some() {}
        eventually!(host.census() == (1, 1));
    }
}

#[tokio::test]
async fn a_client_that_does_not_listen_holds_up_only_itself() {
    let host = with_last().await;
    let silent = open(host.addr(), "/flood").await;
    let mut seen = serde_json::Value::Null;
    // As much as buffers take, and no more.
    eventually!({
        let now = last(&host).await["flood"].clone();
        let stands = now == seen && now.is_u64();
        seen = now;
        stands
    });
    assert!(seen.as_u64() < Some(200), "{seen} messages of 100 kB");
    let mut other = open(host.addr(), "/echo").await;
    other.send(Message::text("still here")).await.unwrap();
    assert_eq!(text(&mut other).await, "still here");
    drop(silent);
}

#[tokio::test]
async fn a_drain_says_goodbye() {
    let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
    let mut client = open(host.addr(), "/ws/echo").await;
    host.drain();
    assert_eq!(code(hear(&mut client).await), Some(1012));
    assert!(hear(&mut client).await.is_none());
    assert_eq!(host.ended().await.cut_connections, 0);
}

#[tokio::test]
async fn records_name_the_route() {
    let host = Host::conformance().await;
    let _ = try_open(host.addr(), "/ws/raises", &[]).await;
    eventually!(logs::with("before the handshake").iter().any(|record| record.text.contains("/ws/raises")));
}
