use crate::ground::{Lab, NAMESPACE, POD};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_in_a_pod() {
    let lab = Lab::start().await;
    lab.pod();
    let kube = lab.kube().await;
    let sh = |script: &'static str| ["sh", "-c", script];
    let output = kube.exec(POD, "postgres", &sh("echo out; echo err >&2; exit 3"), LONG).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (3, "out\n", "err\n"));
    let failed = kube.exec_ok(POD, "postgres", &sh("echo no such thing >&2; exit 2"), LONG).await.unwrap_err();
    assert_eq!(failed.what, "sh in pod db-0 ended with exit code 2: no such thing");
    // Both streams at once, far over every buffer.
    let script = "yes 0123456789abcdef | head -c 5000000; yes error | head -c 3000000 >&2";
    let output = kube.exec(POD, "postgres", &sh(script), LONG).await.unwrap();
    assert_eq!((output.code, output.stdout.len(), output.stderr.len()), (0, 5_000_000, 3_000_000));
    let absent = kube.exec(POD, "postgres", &["no-such-program"], LONG).await;
    assert!(absent.as_ref().map_or(true, |o| o.code != 0), "{absent:?}");
    let late = kube.exec(POD, "postgres", &["sleep", "30"], Duration::from_millis(500)).await.unwrap_err();
    assert!(late.what.contains("may still run"), "{}", late.what);
    let wrong = kube.exec("db-9", "postgres", &["true"], LONG).await.unwrap_err();
    assert!(wrong.chain().contains("404 Not Found"), "{}", wrong.chain());
    let cutting = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        lab.faults.cut(NAMESPACE, POD);
    };
    let sleeping = ["sleep", "30"];
    let (cut, ()) = tokio::join!(kube.exec(POD, "postgres", &sleeping, LONG), cutting);
    assert!(cut.as_ref().unwrap_err().what.contains("not known"), "{cut:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_through_the_forward() {
    let lab = Lab::start().await;
    let sandbox = lab.pod();
    let kube = lab.kube().await;
    let listener = tokio::net::TcpListener::bind((sandbox.ip, 8008)).await.unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = socket.read(&mut request).await.unwrap();
        let body = "y".repeat(300_000);
        let answer = format!("HTTP/1.1 202 Accepted\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        socket.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let patch = json!({"pause": true});
    let (status, body) = kube.http(POD, 8008, "PATCH", "/config", Some(&patch), LONG).await.unwrap();
    assert_eq!((status, body.len()), (202, 300_000));
    let request = server.await.unwrap();
    assert!(request.starts_with("PATCH /config HTTP/1.1\r\n") && request.ends_with(r#"{"pause":true}"#), "{request}");
    let refused = kube.http(POD, 8009, "GET", "/", None, LONG).await.unwrap_err();
    assert!(refused.chain().contains("refused"), "{}", refused.chain());
}
