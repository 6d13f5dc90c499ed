#!/usr/bin/env bash
# The tests of the compiled executor on aarch64, whose vectors (NEON) no other test reaches, by QEMU. They are built as a
# crate of their own, because a whole program for another processor takes ten minutes more.
# Needs `rustup target add aarch64-unknown-linux-gnu` and Debian's qemu-user, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross.
set -euo pipefail
root="$(realpath "$(dirname "$0")/..")"
target="$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")/aarch64"
mkdir -p "$target/crate/src"
cd "$target/crate"
cp "$root/Cargo.lock" .
burn="$(sed -n 's/^burn = .*version = "\(=[0-9.]*\)".*/\1/p' "$root/Cargo.toml")"
cat > Cargo.toml << TOML
[package]
name = "compile-tests"
version = "0.0.0"
edition = "2024"
[workspace]
[dependencies]
burn = { version = "$burn", default-features = false, features = ["std", "autodiff", "capture", "extension", "ir", "optim", "flex"] }
hatchery-cells = { path = "$root/plugins/cells" }
hatchery-clippers = { path = "$root/plugins/clippers" }
hatchery-compile = { path = "$root/framework/compile" }
hatchery-plugin = { path = "$root/framework/plugin" }
proptest = { version = "1", default-features = false, features = ["std"] }
serde = "1"
TOML
printf '#[cfg(test)]\n#[path = "%s/tests/compile/mod.rs"]\nmod compile;\n' "$root" > src/lib.rs
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu'
CARGO_TARGET_DIR="$target" cargo test --release --lib --target aarch64-unknown-linux-gnu "$@"
