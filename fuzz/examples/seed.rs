//! Writes the first inputs of every target into `corpus/`: the golden vectors and packed tensors.

use std::path::{Path, PathBuf};

use sedge_oni::{Element, Encoding, FrameReader, Header, MessageBuilder};

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    std::fs::write(folder.join(name), bytes).expect("the folder is ours");
}

/// The files below a folder that end like this.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the golden vectors are there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found
}

fn packed<T: Element>(name: &str, shape: [u16; 2], values: &[T], encoding: Encoding) {
    let envelope = sedge_fuzz::header(Vec::new()).envelope;
    let schema = sedge_fuzz::header(Vec::new()).schema;
    let shape_bytes = shape.map(u16::to_le_bytes).concat();
    let builder = MessageBuilder::new(schema, envelope);
    let builder = builder.tensor("packed", &shape.map(usize::from), values);
    let mut message = builder.expect("a valid tensor").build();
    message
        .pack("packed", encoding)
        .expect("a fitting encoding");
    let encoded = message.encode().expect("a valid message");
    let table = Header::decode(encoded.header())
        .expect("just encoded")
        .tensors;
    let bytes = &encoded.payload()[..table[0].length as usize];
    let dtype = (T::DTYPE.number() - 1) as u8;
    let mut seed = Vec::new();
    if let Some(scale) = encoding.scale() {
        seed.extend_from_slice(&scale.to_le_bytes());
    }
    seed.extend_from_slice(&[dtype, 2]);
    seed.extend_from_slice(&shape_bytes);
    seed.extend_from_slice(bytes);
    write(encoding.name(), name, &seed);
}

fn main() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/oni/golden");
    for path in files(&golden, "oni") {
        let name = path
            .file_stem()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let frame = std::fs::read(&path).expect("it can be read");
        write("frame", &name, &frame);
        write(
            "stream",
            &name,
            &[&[255, 64, 0, 255], frame.as_slice()].concat(),
        );
        let mut reader = FrameReader::new();
        reader.push(&frame);
        if let Some(message) = reader.next_message() {
            write("header", &name, message.header());
            let length = (message.payload().len() as u16).to_le_bytes();
            write("tensor_table", &name, &[&length, message.header()].concat());
        }
    }
    for path in files(&golden, "attachment") {
        let name = path.file_stem().expect("a file").to_string_lossy();
        let attachment = std::fs::read(&path).expect("it can be read");
        let payload = std::fs::read(path.with_extension("payload")).expect("so can its other part");
        let length = (attachment.len() as u16).to_le_bytes();
        let seed = [&length[..], &attachment, &payload].concat();
        write("bundle", &name, &seed);
    }
    let floats: Vec<f32> = (0..48).map(|idx| idx as f32 * 0.25).collect();
    let depths: Vec<u16> = (0..48).map(|idx| 1_000 + 7 * idx).collect();
    for shape in [[6, 8], [1, 48]] {
        let name = format!("{}x{}", shape[0], shape[1]);
        packed(&name, shape, &floats, Encoding::Raw);
        packed(&name, shape, &floats, Encoding::Zstd);
        packed(&name, shape, &floats, Encoding::Int8 { scale: 0.25 });
        packed(&name, shape, &depths, Encoding::Png16);
        packed(&format!("depths{name}"), shape, &depths, Encoding::Zstd);
    }
}
