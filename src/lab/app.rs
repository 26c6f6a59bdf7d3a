//! The practice app (being written).
pub async fn run(container: super::workloads::image::Container) -> i32 {
    container.ready.send_replace(true);
    container.stop.cancelled().await;
    0
}
