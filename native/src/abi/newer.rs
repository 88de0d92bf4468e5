//! The functions of Envoy that the module looks up, because an older Envoy does not have them.

use std::ffi::{CStr, c_char, c_void};
use std::{mem, ptr};

use super::MetricCall;

/// What Envoy 1.39 added to the calls about a configuration. Envoy 1.38 would refuse to load a module that links them, and name no Envoy that can. So they
/// are looked up.
#[derive(Clone, Copy)]
pub struct Newer {
    /// Adds to a counter.
    pub add_to_counter: MetricCall,
    /// Sets a gauge.
    pub set_gauge: MetricCall,
    /// Records a value in a histogram.
    pub record_in_histogram: MetricCall,
}

impl Newer {
    /// `None` if this Envoy is older than 1.39.
    pub(crate) fn find() -> Option<Newer> {
        let find = |name: &CStr| {
            // SAFETY: the name ends with NUL. A handle of null searches all that the process has loaded.
            let found = unsafe { dlsym(ptr::null_mut(), name.as_ptr()) };
            // SAFETY: Envoy's ABI gives these names to functions of this type.
            (!found.is_null()).then(|| unsafe { mem::transmute::<*mut c_void, MetricCall>(found) })
        };
        Some(Newer {
            add_to_counter: find(c"envoy_dynamic_module_callback_http_filter_config_increment_counter")?,
            set_gauge: find(c"envoy_dynamic_module_callback_http_filter_config_set_gauge")?,
            record_in_histogram: find(
                c"envoy_dynamic_module_callback_http_filter_config_record_histogram_value",
            )?,
        })
    }
}

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}
