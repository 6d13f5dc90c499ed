//! The lists of a crate's plugins, and the C entry points of a library.

/// Lists the plugins of a crate: `plugins![Gru, Lstm];` at its root defines `pub fn plugins() -> Provider`, which a
/// program that links the crate adds to its registry. Each type must have the attribute
/// [`#[plugin]`](macro@crate::plugin).
#[macro_export]
macro_rules! plugins {
    ($($plugin:ty),+ $(,)?) => {
        /// The plugins of this crate.
        pub fn plugins() -> $crate::Provider {
            $crate::Provider {
                package: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                variants: vec![$(<$plugin as $crate::Plugin>::variant()),+],
            }
        }
    };
}

/// Makes a crate a library that Hatchery loads: `library![Mgu];` at the end of its `lib.rs` lists its plugins, as
/// [`plugins!`](crate::plugins!) does, and defines the entry points.
#[macro_export]
macro_rules! library {
    ($($plugin:ty),+ $(,)?) => {
        $crate::plugins![$($plugin),+];
        $crate::entry_points!();
    };
}

/// Defines the C entry points by which a crate is loaded at run time (`include/hatchery_plugin.h`) for the plugins that
/// its [`plugins!`](crate::plugins!) lists. Their names are fixed, so crates that are linked into a program must not have
/// them.
#[macro_export]
macro_rules! entry_points {
    () => {
        /// The C entry points: see `include/hatchery_plugin.h` of `hatchery-plugin`.
        #[doc(hidden)]
        mod hatchery_entry_points {
            use $crate::entry::{self, Answer, Bytes};

            /// # Safety
            /// `out` points to a `Bytes` that may be overwritten.
            unsafe fn put(out: *mut Bytes, (status, bytes): Answer) -> i32 {
                // SAFETY: the caller guarantees that `out` may be overwritten.
                unsafe { out.write(Bytes::give(bytes)) };
                status
            }

            /// # Safety
            /// `data` points to `length` values that do not change during the call, or `length` is 0.
            unsafe fn slice<'a, T>(data: *const T, length: usize) -> &'a [T] {
                if length == 0 {
                    return &[];
                }
                // SAFETY: the caller guarantees `length` values that do not change.
                unsafe { ::std::slice::from_raw_parts(data, length) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_manifest(out: *mut Bytes) -> i32 {
                // SAFETY: the header demands a valid `out`.
                unsafe { put(out, entry::manifest(super::plugins)) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_open(
                request: *const u8,
                length: usize,
                instance: *mut u64,
                out: *mut Bytes,
            ) -> i32 {
                let mut number = 0;
                // SAFETY: the header demands `length` valid bytes, and valid `instance` and `out`.
                unsafe {
                    let answer = entry::open(super::plugins, slice(request, length), &mut number);
                    instance.write(number);
                    put(out, answer)
                }
            }

            #[unsafe(no_mangle)]
            extern "C" fn hatchery_plugin_close(instance: u64) {
                entry::close(instance);
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_declare(
                instance: u64,
                request: *const u8,
                length: usize,
                out: *mut Bytes,
            ) -> i32 {
                // SAFETY: the header demands `length` valid bytes and a valid `out`.
                unsafe { put(out, entry::declare(instance, slice(request, length))) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_capture(
                instance: u64,
                request: *const u8,
                length: usize,
                out: *mut Bytes,
            ) -> i32 {
                // SAFETY: the header demands `length` valid bytes and a valid `out`.
                unsafe { put(out, entry::capture(instance, slice(request, length))) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_process(
                instance: u64,
                logits: *mut f64,
                vocabulary: usize,
                history: *const u32,
                length: usize,
                out: *mut Bytes,
            ) -> i32 {
                // SAFETY: the header demands `vocabulary` values that nothing else reads meanwhile, `length` tokens and a
                // valid `out`.
                unsafe {
                    let logits =
                        if vocabulary == 0 { &mut [] } else { ::std::slice::from_raw_parts_mut(logits, vocabulary) };
                    put(out, entry::process(instance, logits, slice(history, length)))
                }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_documents(
                instance: u64,
                name: *const u8,
                name_length: usize,
                text: *const u8,
                text_length: usize,
                out: *mut Bytes,
            ) -> i32 {
                // SAFETY: the header demands `name_length` and `text_length` valid bytes, and a valid `out`.
                unsafe { put(out, entry::documents(instance, slice(name, name_length), slice(text, text_length))) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_free(bytes: Bytes) {
                if !bytes.data.is_null() {
                    // SAFETY: the header demands bytes of this library: `Bytes::give` made them from a box.
                    drop(unsafe {
                        ::std::boxed::Box::from_raw(::std::ptr::slice_from_raw_parts_mut(bytes.data, bytes.length))
                    });
                }
            }
        }
    };
}
