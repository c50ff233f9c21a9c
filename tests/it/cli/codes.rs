//! `dintorni codes upload`.

use dintorni::grpc::pb;
use tempfile::TempDir;

use super::{Ran, call, is_plain, tills::coupons};
use crate::support::harness::TestServer;

async fn upload(server: &TestServer, file: &str, more: &[&str]) -> Ran {
    let arguments = [&["codes", "upload", file, "--campaign", "acme/bill"], more].concat();
    let ran = call(server.address, &server.operator, &arguments).await;
    assert!(is_plain(&ran), "{ran:?}");
    ran
}

fn file(directory: &TempDir, text: &str) -> String {
    let path = directory.path().join("codes.txt");
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("text").to_owned()
}

#[tokio::test]
async fn every_row_is_in_the_pool_or_told_with_its_line() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coupons(&server, &acme, pb::coupon::Codes::Pool(pb::PooledCodes {})).await;
    let directory = TempDir::new().expect("a directory");
    // Two messages; the same code twice in other letters; an empty line; two that are no codes.
    let good: String = (0..12_000).map(|number| format!("AB-{number:06}\r\n")).collect();
    let text = format!("ab000000\n\n{good}no\nübung\n");
    let report = directory.path().join("report.csv");
    let flags = ["--report", report.to_str().expect("text")];
    let ran = upload(&server, &file(&directory, &text), &flags).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let told = "added       12000\nduplicates  1\nmalformed   2, in lines 12003, 12004\npool        12000 codes\n";
    assert_eq!(ran.out, told, "{ran:?}");
    let reported = std::fs::read_to_string(&report).expect("written");
    assert_eq!(reported, "line,reason\n3,DUPLICATE\n12003,MALFORMED\n12004,MALFORMED\n");
    // Again, without the rows that are none.
    let again = upload(&server, &file(&directory, &good), &[]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.starts_with("added       0\nduplicates  12000\nmalformed   0\n"), "{again:?}");
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_said_even_of_an_empty_file() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coupons(&server, &acme, pb::coupon::Codes::Generated(pb::GeneratedCodes {})).await;
    let directory = TempDir::new().expect("a directory");
    for text in ["", "AAAA1111\n"] {
        let ran = upload(&server, &file(&directory, text), &[]).await;
        assert!(ran.code == Some(1) && ran.out.is_empty(), "{ran:?}");
        assert!(ran.err.contains("has no coupon whose codes come from a pool"), "{ran:?}");
    }
    let missing = upload(&server, "/nowhere/codes.txt", &[]).await;
    assert!(missing.code == Some(1) && missing.err.contains("/nowhere/codes.txt"), "{missing:?}");
    let key = acme.key_of(pb::key::Scope::Network).await;
    let arguments = ["codes", "upload", &file(&directory, "AAAA1111\n"), "--campaign", "acme/bill"];
    let denied = call(server.address, &key, &arguments).await;
    assert!(denied.code == Some(1) && denied.err.contains("PermissionDenied"), "{denied:?}");
    assert!(!denied.err.contains("AAAA1111"), "{denied:?}");
}
