//! The part of PostgreSQL's protocol that is spoken before a session begins.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_ENC_REQUEST: u32 = 80_877_104;

/// PostgreSQL's own limit on the first packet.
const LONGEST_FIRST: usize = 10_000;
/// Of a message before a session begins: a token is a few thousand bytes.
const LONGEST: usize = 64 * 1024;
/// Of a length, which counts itself.
const LENGTH: usize = 4;

/// What a client begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    Ssl,
    GssEncryption,
    Cancel(Cancel),
    Startup(Startup),
}

/// The number and the secret of the session whose statement is to be canceled, as `BackendKeyData` has them.
pub(super) type SessionKey = Vec<u8>;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cancel {
    pub(super) key: SessionKey,
    /// As it came.
    pub(super) packet: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Startup {
    pub(super) user: String,
    pub(super) database: String,
    /// As it came.
    pub(super) packet: Vec<u8>,
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Reads a client's first packet, or the next one after it has been answered.
pub(super) async fn read_first(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<First> {
    let length = stream.read_u32().await?;
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if !(2 * LENGTH..=LONGEST_FIRST).contains(&size) {
        return Err(malformed("the length of a first packet"));
    }
    let code = stream.read_u32().await?;
    let mut rest = vec![0; size - 2 * LENGTH];
    stream.read_exact(&mut rest).await?;
    let packet = [length.to_be_bytes().as_slice(), &code.to_be_bytes(), &rest].concat();
    match code {
        SSL_REQUEST => Ok(First::Ssl),
        GSS_ENC_REQUEST => Ok(First::GssEncryption),
        CANCEL_REQUEST => Ok(First::Cancel(Cancel { key: rest, packet })),
        _ => startup(&rest, packet).map(First::Startup),
    }
}

/// Pairs of strings, each with a zero behind it, and a zero after the last.
fn startup(parameters: &[u8], packet: Vec<u8>) -> io::Result<Startup> {
    let mut strings =
        parameters.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let (mut user, mut database) = (String::new(), String::new());
    while let (Some(name), Some(value)) = (strings.next(), strings.next()) {
        match name.as_str() {
            "user" => user = value,
            "database" => database = value,
            _ => {}
        }
    }
    if user.is_empty() {
        return Err(malformed("a startup packet without a user"));
    }
    if database.is_empty() {
        database.clone_from(&user);
    }
    Ok(Startup { user, database, packet })
}

/// A message with a type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    /// Without type and length.
    pub(super) body: Vec<u8>,
}

pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Message> {
    let kind = stream.read_u8().await?;
    let size = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if !(LENGTH..=LONGEST).contains(&size) {
        return Err(malformed("the length of a message"));
    }
    let mut body = vec![0; size - LENGTH];
    stream.read_exact(&mut body).await?;
    Ok(Message { kind, body })
}

pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &Message) -> io::Result<()> {
    let length =
        u32::try_from(message.body.len() + LENGTH).map_err(|_| malformed("a message that is too long"))?;
    let bytes = [[message.kind].as_slice(), &length.to_be_bytes(), &message.body].concat();
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Asks for a password in clear, as Azure does for a token.
pub(super) fn password_request() -> Message {
    Message { kind: b'R', body: 3_u32.to_be_bytes().to_vec() }
}

/// An error that ends the connection.
pub(super) fn fatal(code: &str, text: &str) -> Message {
    let body = format!("SFATAL\0VFATAL\0C{code}\0M{text}\0\0");
    Message { kind: b'E', body: body.into_bytes() }
}

/// `28P01: password authentication failed for user "app"`, of an error.
pub(super) fn describe(error: &Message) -> String {
    let fields = error.body.split(|byte| *byte == 0);
    let field = |kind: u8| {
        let found = fields.clone().find_map(|field| field.strip_prefix(&[kind]));
        String::from_utf8_lossy(found.unwrap_or_default()).into_owned()
    };
    format!("{}: {}", field(b'C'), field(b'M'))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use rstest::rstest;

    use super::*;

    fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
        let length = u32::try_from(rest.len() + 8).unwrap();
        [length.to_be_bytes().as_slice(), &code.to_be_bytes(), rest].concat()
    }

    async fn first(mut bytes: &[u8]) -> Option<First> {
        read_first(&mut bytes).await.ok()
    }

    #[tokio::test]
    async fn a_client_begins_in_one_of_four_ways() {
        assert_eq!(first(&packet(SSL_REQUEST, b"")).await, Some(First::Ssl));
        assert_eq!(first(&packet(GSS_ENC_REQUEST, b"")).await, Some(First::GssEncryption));
        let cancel = packet(CANCEL_REQUEST, b"12345678");
        let expected = Cancel { key: b"12345678".to_vec(), packet: cancel.clone() };
        assert_eq!(first(&cancel).await, Some(First::Cancel(expected)));
        let start = packet(196_608, b"user\0app\0application_name\0database\0database\0orders\0\0");
        let expected =
            Startup { user: "app".to_owned(), database: "orders".to_owned(), packet: start.clone() };
        assert_eq!(first(&start).await, Some(First::Startup(expected)));
        let short = packet(196_608, b"user\0app\0\0");
        assert!(matches!(first(&short).await, Some(First::Startup(start)) if start.database == "app"));
    }

    #[rstest]
    #[case::nothing(b"")]
    #[case::too_short(&[0, 0, 0, 7, 0, 3, 0])]
    #[case::too_long(&[0, 0, 0x27, 0x11, 0, 3, 0, 0])]
    #[case::huge(&[0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0])]
    #[case::cut_off(&[0, 0, 0, 20, 0, 3, 0, 0, b'u'])]
    #[case::no_user(&[0, 0, 0, 9, 0, 3, 0, 0, 0])]
    #[case::http(b"GET / HTTP/1.1\r\n\r\n")]
    #[tokio::test]
    async fn anything_else_is_refused(#[case] bytes: &[u8]) {
        assert_eq!(first(bytes).await, None);
    }

    proptest! {
        /// It ends, takes no more than it may, and what it takes as a startup packet is one.
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in vec(any::<u8>(), 0..200), long in any::<bool>()) {
            // Mostly of the length that it says.
            let length = u32::try_from(bytes.len() + if long { 5 } else { 4 }).unwrap();
            let sent = [length.to_be_bytes().as_slice(), &bytes].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut rest = sent.as_slice();
            if let Ok(First::Startup(startup)) = runtime.block_on(read_first(&mut rest)) {
                prop_assert_eq!(startup.packet.as_slice(), sent.as_slice());
                prop_assert!(!startup.user.is_empty() && !startup.database.is_empty());
            }
            let mut rest = bytes.as_slice();
            if let Ok(message) = runtime.block_on(read(&mut rest)) {
                let mut written = Vec::new();
                runtime.block_on(write(&mut written, &message)).unwrap();
                prop_assert!(bytes.starts_with(&written));
                // Of an error that means nothing, too.
                describe(&message);
            }
        }
    }

    #[tokio::test]
    async fn a_message_is_read_as_it_was_written() {
        let error = fatal("28P01", "password authentication failed for user \"app\"");
        let mut bytes = Vec::new();
        write(&mut bytes, &error).await.unwrap();
        let read_again = read(&mut bytes.as_slice()).await.unwrap();
        assert_eq!(describe(&read_again), "28P01: password authentication failed for user \"app\"");
        assert_eq!(read_again, error);
        for wrong in [[b'p', 0, 0, 0, 3], [b'p', 0, 1, 0, 1]] {
            assert!(read(&mut wrong.as_slice()).await.is_err());
        }
    }
}
