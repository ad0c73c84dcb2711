//! Access: passwords in files, the network between, the default user.

use compartment_admin::doctor::{Code, DoctorOptions, Severity, WrittenSecret, examine};
use compartment_testkit::{FaultProxy, TestRedis, run_test};

use super::{codes, deployed, examined, found, pipeline, severity};

#[test]
#[ignore = "needs redis-server"]
fn a_default_user_without_a_password_is_found() {
    run_test(async {
        let (open, closed) =
            (TestRedis::start().await, TestRedis::builder().password("pw").start().await);
        let examination = examined(&pipeline(&open.url())).await;
        // The server listens on the machine only.
        assert_eq!(severity(&examination, Code::DefaultUserWithoutPassword), Severity::Notice);
        let found = codes(&examined(&pipeline(&closed.url())).await);
        assert!(!found.contains(&Code::DefaultUserWithoutPassword), "{found:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_on_another_machine_is_reached_by_tls() {
    run_test(async {
        let server = TestRedis::builder().password("s3cret").start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let map = pipeline(&proxy.url().replace("//", "//:s3cret@"));
        assert!(!codes(&examined(&map).await).contains(&Code::NoTls));
        // The ends of the session as a server on another machine tells them.
        proxy.answer_by(
            "CLIENT",
            "return ARGV[1]:upper() == 'INFO' and 'id=3 addr=10.0.0.5:41 laddr=10.0.0.9:6379' or 'OK'",
        );
        let examination = examined(&map).await;
        let finding = found(&examination, Code::NoTls);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.why.contains("password"), "{}", finding.why);
        assert!(!format!("{examination:?}").contains("s3cret"));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_password_in_a_file_is_told_of_and_not_shown() {
    run_test(async {
        let server = TestRedis::builder().password("s3cret").start().await;
        let map = pipeline(&server.url());
        for (others_may_read, expected) in [(true, Severity::Warning), (false, Severity::Notice)] {
            let mut options = DoctorOptions::default();
            options.written_secrets = vec![WrittenSecret {
                instance: "primary".into(),
                file: "compartment.toml".into(),
                others_may_read,
            }];
            let examination = examine(&deployed(&map).await, &options).await;
            assert_eq!(severity(&examination, Code::SecretInFile), expected);
            assert!(!format!("{examination:?}").contains("s3cret"));
        }
    });
}
