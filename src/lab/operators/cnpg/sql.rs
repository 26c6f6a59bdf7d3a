//! Short SQL sessions over the pod's own socket, as the instance manager has them. One session a question: a session
//! that is kept would hold up every smart shutdown.
use super::place::Place;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

/// Rows of text, NULL as None. Err: the server's own message, with its SQLSTATE where there is one.
pub async fn rows(place: &Place, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let mut config = Config::new();
    config.host_path(&place.server.socket).port(place.server.port).user("postgres").dbname(database);
    // As startup options, so that no statement with a password in it is ever logged, whatever a copied configuration says.
    config.options(
        "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic \
        -c password_encryption=scram-sha-256 -c client_min_messages=warning",
    );
    config.application_name("cnpg-instance-manager").connect_timeout(std::time::Duration::from_secs(5));
    let (client, connection) = config.connect(NoTls).await.map_err(message)?;
    let connection = tokio::spawn(connection);
    let answer = client.simple_query(sql).await;
    drop(client);
    // The session must be over before the caller goes on: the next thing may be a smart shutdown.
    let _ = connection.await;
    let mut found = Vec::new();
    for item in answer.map_err(message)? {
        if let SimpleQueryMessage::Row(row) = item {
            found.push((0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect());
        }
    }
    Ok(found)
}

/// The first column of the first row; empty when there is none.
pub async fn value(place: &Place, database: &str, sql: &str) -> Result<String, String> {
    let rows = rows(place, database, sql).await?;
    Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()).unwrap_or_default())
}

/// For its effect.
pub async fn run(place: &Place, database: &str, sql: &str) -> Result<(), String> {
    rows(place, database, sql).await.map(drop)
}

/// `"name"`
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `'text'`, for standard_conforming_strings on.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn message(error: tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{}: {} (SQLSTATE {})", db.severity(), db.message(), db.code().code()),
        None => error.to_string(),
    }
}
