//! The codec allocates nothing once its tables are made and its buffers have grown.

#[path = "../benches/corpus.rs"]
mod corpus;
#[path = "../benches/counting.rs"]
mod counting;
#[allow(dead_code, reason = "the benchmarks need more of it")]
#[path = "../benches/ours.rs"]
mod ours;

#[test]
fn reading_json_allocates_nothing() {
    let set = ours::compiled(concat!(env!("CARGO_MANIFEST_DIR"), "/benches"));
    let schema = ours::schema(&set);
    for sample in corpus::samples() {
        let codec = ours::Codec::new(&schema, &format!("bench.{}", sample.message));
        let mut wire = Vec::new();
        for _ in 0..2 {
            codec.to_wire(&sample.json, &mut wire);
        }
        let allocations = counting::allocations(|| codec.to_wire(&sample.json, &mut wire));
        assert_eq!(allocations, 0, "{}", sample.title);
    }
}
