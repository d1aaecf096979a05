//! Both stores by the same suite, and what is special about each. `NATS_SERVER` names the
//! nats-server program.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by it, as tests do"
)]

mod folder;
mod jetstream;
mod suite;

/// The suite on one kind of store.
macro_rules! run_suite {
    ($fixture:ty: $($test:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                crate::suite::$test(&<$fixture>::new().await).await;
            }
        )*
    };
    ($fixture:ty) => {
        crate::run_suite! { $fixture:
            what_was_put_comes_back_in_small_pieces,
            a_file_of_the_largest_size_is_stored_and_a_larger_one_leaves_nothing,
            an_upload_that_breaks_leaves_nothing,
            an_upload_that_is_given_up_leaves_nothing,
            a_file_is_replaced_in_full_or_not_at_all,
            a_deleted_file_is_gone_and_can_be_deleted_again,
            files_do_not_touch_each_other,
        }
    };
}
pub(crate) use run_suite;
