//! SPDY/3.1 as far as port-forward needs it: frames out of bytes, and bytes for frames (draft-mbelshe-httpbis-spdy-00,
//! 2.2 and 2.6).
//!
//! There is no flow control in it: kubectl's side (moby/spdystream) has none either, and says nothing when it has read.
use flate2::{Decompress, FlushDecompress};
use hyper::body::Bytes;
use std::collections::BTreeMap;

/// What the other side says.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// SYN_STREAM; names of headers in lower case.
    Open {
        stream: u32,
        headers: BTreeMap<String, String>,
        last: bool,
    },
    /// DATA; after `last` nothing more comes on this stream.
    Data {
        stream: u32,
        data: Bytes,
        last: bool,
    },
    /// RST_STREAM: neither side says anything more on it.
    Reset {
        stream: u32,
    },
    Ping(u32),
    GoAway,
    /// SETTINGS, HEADERS, WINDOW_UPDATE and SYN_REPLY: nothing that we would act on.
    Other,
}

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;

/// FLAG_FIN
const LAST: u8 = 1;

/// More than this is not a header block of port-forward. Bytes.
const HEADERS: usize = 64 * 1024;

/// The bytes that came, cut into frames. Header blocks are one compressed stream over the life of the connection.
pub struct Reader {
    bytes: Vec<u8>,
    headers: Decompress,
}

impl Reader {
    pub fn new() -> Reader {
        Reader { bytes: Vec::new(), headers: Decompress::new(true) }
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// None: there is no whole frame yet. Err: this is not SPDY, and nothing after it can be read.
    pub fn next(&mut self) -> Result<Option<Frame>, String> {
        let Some(head) = self.bytes.first_chunk::<8>() else { return Ok(None) };
        let (first, flags) = (word(head), head[4]);
        let end = 8 + (word(&head[4..]) & 0xff_ffff) as usize;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let body = Bytes::copy_from_slice(&self.bytes[8..end]);
        self.bytes.drain(..end);
        let last = flags & LAST != 0;
        if first >> 31 == 0 {
            return Ok(Some(Frame::Data { stream: first, data: body, last }));
        }
        let number = || body.first_chunk::<4>().map(|bytes| word(bytes) & 0x7fff_ffff).ok_or("a frame is too short");
        Ok(Some(match first as u16 {
            // Stream, the one it belongs to, priority, slot; then the headers.
            SYN_STREAM => {
                let block = body.get(10..).ok_or("SYN_STREAM is too short")?;
                Frame::Open { stream: number()?, headers: self.headers(block)?, last }
            }
            RST_STREAM => Frame::Reset { stream: number()? },
            PING => Frame::Ping(number()?),
            GOAWAY => Frame::GoAway,
            _ => Frame::Other,
        }))
    }

    fn headers(&mut self, block: &[u8]) -> Result<BTreeMap<String, String>, String> {
        let plain = self.inflate(block)?;
        let mut rest = plain.as_slice();
        let mut headers = BTreeMap::new();
        for _ in 0..take(&mut rest, 4).map(word)? {
            let name = text(&mut rest)?;
            headers.insert(name.to_ascii_lowercase(), text(&mut rest)?);
        }
        Ok(headers)
    }

    fn inflate(&mut self, mut block: &[u8]) -> Result<Vec<u8>, String> {
        let mut plain = Vec::with_capacity(1024);
        loop {
            let before = self.headers.total_in();
            let outcome = self.headers.decompress_vec(block, &mut plain, FlushDecompress::Sync);
            block = &block[(self.headers.total_in() - before) as usize..];
            match outcome {
                Err(error) if error.needs_dictionary().is_some() => {
                    self.headers.set_dictionary(&dictionary()).map(|_| ())
                }
                other => other.map(|_| ()),
            }
            .map_err(|error| format!("cannot decompress a header block: {error}"))?;
            match plain.capacity() - plain.len() {
                0 if plain.len() >= HEADERS => return Err("a header block is too big".into()),
                0 => plain.reserve(plain.len()),
                _ if block.is_empty() => return Ok(plain),
                _ => {}
            }
        }
    }
}

/// Big endian, as everything here. Panics under four bytes.
fn word(bytes: &[u8]) -> u32 {
    bytes[..4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
    rest.split_off(..length).ok_or("a header block is too short")
}

fn text(rest: &mut &[u8]) -> Result<String, &'static str> {
    let length = take(rest, 4).map(word)?;
    Ok(String::from_utf8_lossy(take(rest, length as usize)?).into_owned())
}

/// Draft 2.6.10.1: the words with their lengths, then the rest as it is.
fn dictionary() -> Vec<u8> {
    let length = |word: &str| (word.len() as u32).to_be_bytes();
    let words = WORDS.split(',').flat_map(|word| [&length(word)[..], word.as_bytes()].concat());
    words.chain(REST.bytes()).collect()
}

const WORDS: &str = "options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,\
    accept-ranges,age,allow,authorization,cache-control,connection,content-base,content-encoding,content-language,\
    content-length,content-location,content-md5,content-range,content-type,date,etag,expect,expires,from,host,if-match,\
    if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma,\
    proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,upgrade,\
    user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie,\
    keep-alive,origin";
const REST: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
    203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden\
    404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable\
    Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT\
    chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,\
    publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

fn frame(first: u32, flags: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32) | u32::from(flags) << 24;
    [&first.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

fn control(kind: u16, body: &[u8]) -> Vec<u8> {
    frame(0x8003_0000 | u32::from(kind), 0, body)
}

/// SYN_REPLY without headers. `first`: of the connection; the compressed stream begins with it.
pub fn accepted(stream: u32, first: bool) -> Vec<u8> {
    // Deflate does not have to make anything smaller: "no headers" (four zero bytes) as a stored block, then an empty
    // one, at which the reader stops (a sync flush). That needs no dictionary and no state but the beginning.
    const NONE: [u8; 14] = [0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    let begin: &[u8] = if first { &[0x78, 0x01] } else { &[] };
    control(SYN_REPLY, &[&stream.to_be_bytes(), begin, &NONE].concat())
}

/// At most 16 MiB of data.
pub fn data(stream: u32, data: &[u8]) -> Vec<u8> {
    frame(stream, 0, data)
}

/// What we had to say on this stream has been said.
pub fn end(stream: u32) -> Vec<u8> {
    frame(stream, LAST, &[])
}

/// RST_STREAM: REFUSED_STREAM
pub fn refused(stream: u32) -> Vec<u8> {
    control(RST_STREAM, &[stream.to_be_bytes(), 3u32.to_be_bytes()].concat())
}

pub fn ping(number: u32) -> Vec<u8> {
    control(PING, &number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    /// As kubectl does it: with the dictionary, one compressed stream for all.
    fn open(compress: &mut Compress, stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = (headers.len() as u32).to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend((text.len() as u32).to_be_bytes());
            plain.extend(text.as_bytes());
        }
        let mut block = Vec::with_capacity(4096);
        compress.compress_vec(&plain, &mut block, FlushCompress::Sync).unwrap();
        control(SYN_STREAM, &[&stream.to_be_bytes()[..], &[0; 6], &block].concat())
    }

    #[test]
    fn frames_are_read_however_the_bytes_come() {
        let mut compress = Compress::new(Compression::best(), true);
        compress.set_dictionary(&dictionary()).unwrap();
        let long = "x".repeat(5000);
        let all = [
            open(&mut compress, 1, &[("Streamtype", "error"), ("Port", "8008")]),
            open(&mut compress, 3, &[("Streamtype", "data"), ("Port", "8008"), ("Long", &long)]),
            data(3, b"hello"),
            end(3),
            ping(7),
            refused(1),
            control(9, &[0; 8]),
            control(GOAWAY, &[0; 8]),
        ];
        let headers = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let expected = [
            Frame::Open { stream: 1, headers: headers(&[("streamtype", "error"), ("port", "8008")]), last: false },
            Frame::Open {
                stream: 3,
                headers: headers(&[("streamtype", "data"), ("port", "8008"), ("long", &long)]),
                last: false,
            },
            Frame::Data { stream: 3, data: Bytes::from_static(b"hello"), last: false },
            Frame::Data { stream: 3, data: Bytes::new(), last: true },
            Frame::Ping(7),
            Frame::Reset { stream: 1 },
            Frame::Other,
            Frame::GoAway,
        ];
        for size in [1, 7, usize::MAX] {
            // The blocks belong to one stream: each reader starts at its beginning.
            let (mut reader, mut seen) = (Reader::new(), Vec::new());
            for piece in all.concat().chunks(size) {
                reader.add(piece);
                while let Some(frame) = reader.next().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, expected, "{size}");
        }
    }

    #[test]
    fn a_reply_is_a_compressed_block_without_headers() {
        let mut inflate = Decompress::new(true);
        for first in [true, false, false] {
            let reply = accepted(5, first);
            let mut plain = Vec::with_capacity(64);
            inflate.decompress_vec(&reply[12..], &mut plain, FlushDecompress::Sync).unwrap();
            assert_eq!((word(&reply), word(&reply[8..]), plain), (0x8003_0002, 5, vec![0; 4]));
        }
    }

    #[test]
    fn what_is_not_spdy_is_said() {
        let cases = [control(SYN_STREAM, &[0; 4]), control(SYN_STREAM, &[0xff; 30]), control(PING, &[])];
        for bytes in cases {
            let mut reader = Reader::new();
            reader.add(&bytes);
            assert!(reader.next().is_err(), "{bytes:?}");
        }
    }
}
