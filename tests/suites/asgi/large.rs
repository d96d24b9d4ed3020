//! Bodies larger than any buffer.

use fasterapi_tests::{
    Guest, Host,
    http::{Ask, Protocol, get, post},
    uvicorn::Uvicorn,
};
use sha2::{Digest, Sha256};

const MIB: usize = 1 << 20;

/// `size` bytes that do not repeat soon.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(size / 4).flatten().collect()
}

/// 200 MiB through an instance that may use less than half of that.
#[tokio::test]
async fn an_upload_of_any_size_needs_little_memory() {
    let host = Host::start(Guest::CONFORMANCE, |config| {
        config.edge.limits.body_bytes = 1 << 30;
        config.instance.memory = 96 * MIB;
        config.instance.cpu = std::time::Duration::from_secs(60);
        config.instance.request = std::time::Duration::from_secs(120);
    });
    let host = host.await;
    let part = noise(MIB);
    let mut expected = Sha256::new();
    let mut upload = host.client().begin(Protocol::H1, post("/streams/digest"), true).await;
    for _ in 0..200 {
        expected.update(&part);
        upload.write(part.clone()).await;
    }
    upload.end();
    let answer = upload.answer().await.expect(200).json();
    assert_eq!(answer["length"], 200 * MIB);
    assert_eq!(answer["sha256"], hex::encode(expected.finalize()));
}

fn form_with_file(file: &[u8]) -> Ask {
    let head = b"--B\r\ncontent-disposition: form-data; name=\"upload\"; filename=\"big.bin\"\r\n\
                 content-type: application/octet-stream\r\n\r\n";
    let body = [head, file, b"\r\n--B--\r\n"].concat();
    post("/bodies/upload").header("content-type", "multipart/form-data; boundary=B").body("", body)
}

/// Files over 1 MiB, which Starlette would put on disk.
#[tokio::test]
async fn a_large_file_in_a_form_is_the_same_as_under_uvicorn() {
    let (uvicorn, host) = (Uvicorn::shared().await.client(), Host::conformance().await.client());
    for size in [MIB - 4, MIB + 4, 8 * MIB] {
        let ask = form_with_file(&noise(size));
        let expected = uvicorn.send(ask.clone()).await.expect(200).json();
        assert_eq!(expected["length"], size);
        for protocol in [Protocol::H1, Protocol::H2] {
            assert_eq!(host.send_by(protocol, ask.clone()).await.expect(200).json(), expected);
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_one_at_it_is_not() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.edge.limits.body_bytes = 100_000).await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let sized = |size| post("/bodies/raw").body("", vec![b'x'; size]);
        let parts =
            |size: usize| post("/bodies/raw").parts(std::iter::repeat_n(vec![b'x'; 1000], size / 1000));
        for ask in [sized(100_000), parts(100_000)] {
            assert_eq!(host.client().send_by(protocol, ask).await.expect(200).json()["length"], 100_000);
        }
        for ask in [sized(100_001), parts(101_000)] {
            let answer = host.client().send_by(protocol, ask).await.expect(413);
            assert_eq!(answer.json()["status"], 413);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
    }
}

#[tokio::test]
async fn a_download_of_any_size_comes_whole() {
    let host = Host::conformance().await.client();
    for protocol in [Protocol::H1, Protocol::H2] {
        let answer = host.send_by(protocol, get("/streams/big?parts=100&size=1000000")).await.expect(200);
        assert_eq!(answer.body.len(), 100_000_000);
    }
}
