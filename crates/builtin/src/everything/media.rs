//! A small picture and a short sound, made here so that nothing has to be carried.

/// The side of the picture, in pixels.
const SIDE: u32 = 32;
/// Samples a second of the sound.
const RATE: u32 = 8000;
/// The length of the sound, in samples.
const SAMPLES: u32 = RATE / 4;
/// The pitch of the sound, in hertz.
const PITCH: f64 = 440.0;

/// A PNG: 32 by 32 pixels, red to the right and green downward.
pub(super) fn png() -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..SIDE {
        rows.push(0); // no filter
        for x in 0..SIDE {
            rows.extend([shade(x), shade(y), 128]);
        }
    }
    let mut header = [SIDE.to_be_bytes(), SIDE.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]); // eight bits, RGB, deflate, no filter method, no interlace
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", header), (b"IDAT", stored(&rows)), (b"IEND", Vec::new())] {
        let body = [&name[..], &data].concat();
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(&body);
        png.extend(crc32(&body).to_be_bytes());
    }
    png
}

/// A WAV: a quarter of a second of the concert pitch, 8 bits, one channel.
pub(super) fn wav() -> Vec<u8> {
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + SAMPLES).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend([1, 0, 1, 0]); // PCM, one channel
    wav.extend(RATE.to_le_bytes());
    wav.extend(RATE.to_le_bytes()); // bytes a second
    wav.extend([1, 0, 8, 0]); // bytes a frame, bits a sample
    wav.extend(b"data");
    wav.extend(SAMPLES.to_le_bytes());
    wav.extend((0..SAMPLES).map(|at| {
        let phase = f64::from(at) * PITCH * std::f64::consts::TAU / f64::from(RATE);
        (128.0 + 100.0 * phase.sin()) as u8
    }));
    wav
}

fn shade(at: u32) -> u8 {
    (at * 255 / (SIDE - 1)) as u8
}

/// A zlib stream without compression (RFC 1950, RFC 1951 §3.2.4). `data` fits into one block.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let mut stream = vec![0x78, 0x01, 1];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    stream.extend(data);
    let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (b + a) % 65521)
    });
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(stored(b"Wikipedia")[16..], 0x11E6_0398_u32.to_be_bytes());
    }

    #[test]
    fn lengths_are_what_the_headers_say() {
        assert_eq!(wav().len(), 44 + SAMPLES as usize);
        let rows = (SIDE * (1 + 3 * SIDE)) as usize;
        assert_eq!(png().len(), 8 + 3 * 12 + 13 + (2 + 5 + rows + 4));
    }
}
