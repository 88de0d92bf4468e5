//! Static variables, one instance per VM.
//!
//! A VM has one thread and no std. In native tests each thread stands for a VM, so the variables are thread-local.

/// Declares static variables, one instance per VM.
#[cfg(not(target_family = "wasm"))]
macro_rules! vm_local {
    ($($(#[$doc:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;)+) => {
        std::thread_local! { $($(#[$doc])* $vis static $name: $type = const { $value };)+ }
    };
}

/// Declares static variables, one instance per VM.
#[cfg(target_family = "wasm")]
macro_rules! vm_local {
    ($($(#[$doc:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[$doc])* $vis static $name: $crate::proxy_wasm::vm_local::VmLocal<$type> =
            $crate::proxy_wasm::vm_local::VmLocal($value);)+
    };
}

pub(super) use vm_local;

#[cfg(target_family = "wasm")]
pub(super) use in_vm::VmLocal;

#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "Rust does not know that a VM has one thread")]
mod in_vm {
    use core::cell::{Cell, RefCell};

    /// The part of `std::thread::LocalKey` that is needed.
    pub(in crate::proxy_wasm) struct VmLocal<T>(pub(in crate::proxy_wasm) T);

    // SAFETY: wasm32-wasip1 has no threads, so nothing is ever shared between two.
    unsafe impl<T> Sync for VmLocal<T> {}

    impl<T> VmLocal<RefCell<T>> {
        pub(in crate::proxy_wasm) fn with<R>(&'static self, f: impl FnOnce(&RefCell<T>) -> R) -> R {
            f(&self.0)
        }
    }

    impl<T: Default> VmLocal<Cell<T>> {
        pub(in crate::proxy_wasm) fn take(&'static self) -> T {
            self.0.take()
        }

        pub(in crate::proxy_wasm) fn set(&'static self, value: T) {
            self.0.set(value);
        }
    }
}
