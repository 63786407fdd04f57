use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, encode};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://id.example.com";
const RESOURCE: &str = "https://attache.example.com/mcp";
const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

/// An issuer's key, and how it signs.
struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    id: &'static str,
}

impl Signer {
    fn rsa(id: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        Self {
            // PKCS #1 is what PKCS #8 wraps, behind 26 bytes that say so (RFC 5208 section 5).
            key: EncodingKey::from_rsa_der(&der.as_ref()[26..]),
            algorithm: Algorithm::RS256,
            id,
        }
    }

    fn ec(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        Self {
            key: EncodingKey::from_ec_der(der.as_ref()),
            algorithm: Algorithm::ES256,
            id,
        }
    }

    fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(jwk).unwrap()
    }

    fn header(&self) -> Header {
        Header {
            kid: Some(self.id.to_owned()),
            typ: Some("at+jwt".to_owned()),
            ..Header::new(self.algorithm)
        }
    }

    fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.key).unwrap()
    }
}

fn trusted() -> TrustedIssuer {
    TrustedIssuer {
        issuer: ISSUER.to_owned(),
        audiences: Vec::new(),
        algorithms: SigningAlgorithm::ALL.to_vec(),
        scopes: vec!["mcp".to_owned()],
        jwks_url: None,
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "ana", "aud": RESOURCE, "client_id": "claude-code", "scope": "openid mcp",
        "exp": NOW.as_unix() + 300, "iat": NOW.as_unix(), "name": "Ana",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn keys(signers: &[&Signer]) -> SigningKeys {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    SigningKeys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn verify(text: &str, keys: &SigningKeys) -> Result<AccessGrant, AccessTokenRefusal> {
    let token = AccessToken::parse(text).map_err(|_| AccessTokenRefusal::NotTrusted)?;
    token.verify(&trusted(), keys, RESOURCE, NOW)
}

/// A token of a header and claims, with whatever signature.
fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let signature = BASE64URL_NOPAD.encode(signature);
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[test]
fn a_token_says_who_sends_it() {
    let (rsa, ec) = (Signer::rsa("one"), Signer::ec("two"));
    let keys = keys(&[&rsa, &ec]);
    for signer in [&rsa, &ec] {
        let grant = verify(&signer.sign(&claims()), &keys).unwrap();
        assert_eq!(
            (grant.subject.as_str(), grant.client.as_str()),
            ("ana", "claude-code")
        );
        assert_eq!(grant.name.as_deref(), Some("Ana"));
        assert_eq!(grant.expires, NOW + Duration::from_mins(5));
    }
}

#[test]
fn what_other_issuers_call_the_same_things_is_understood() {
    let signer = Signer::ec("one");
    let keys = keys(&[&signer]);
    let mut entra = without("scope");
    entra["scp"] = json!("mcp other");
    entra["aud"] = json!(["https://other.example", RESOURCE]);
    entra.as_object_mut().unwrap().remove("client_id");
    entra["azp"] = json!("entra-client");
    assert_eq!(
        verify(&signer.sign(&entra), &keys).unwrap().client,
        "entra-client"
    );
    let mut okta = entra;
    okta["scp"] = json!(["openid", "mcp"]);
    okta["cid"] = json!("okta-client");
    okta.as_object_mut().unwrap().remove("azp");
    assert_eq!(
        verify(&signer.sign(&okta), &keys).unwrap().client,
        "okta-client"
    );
}

#[test]
fn a_token_that_says_the_wrong_things_lets_nobody_in() {
    use AccessTokenRefusal::{
        AnotherAudience, Bound, Claim, Expired, MissingScopes, NotTrusted, NotYet,
    };
    let signer = Signer::ec("one");
    let keys = keys(&[&signer]);
    let now = NOW.as_unix();
    let cases = [
        (with("iss", json!("https://id.example.com/")), NotTrusted),
        (with("iss", json!([ISSUER])), NotTrusted),
        (without("iss"), NotTrusted),
        (
            with("aud", json!("https://other.example/mcp")),
            AnotherAudience,
        ),
        (
            with("aud", json!("https://attache.example.com/mcp/slack")),
            AnotherAudience,
        ),
        (with("aud", json!([])), AnotherAudience),
        (without("aud"), Claim("aud")),
        (with("exp", json!(now - 30)), Expired),
        (with("exp", json!(0)), Expired),
        (with("exp", json!(-1)), Claim("exp")),
        (with("exp", json!(1e300)), Claim("exp")),
        (without("exp"), Claim("exp")),
        (with("exp", json!("4102444800")), NotTrusted),
        (with("nbf", json!(now + 31)), NotYet),
        (with("scope", json!("openid")), MissingScopes),
        (with("scope", json!("mcp:read xmcp MCP")), MissingScopes),
        (without("scope"), MissingScopes),
        (with("sub", json!("")), Claim("sub")),
        (with("sub", json!(7)), Claim("sub")),
        (with("sub", json!("a\u{0}b")), Claim("sub")),
        (with("sub", json!("a".repeat(256))), Claim("sub")),
        (without("sub"), Claim("sub")),
        (without("client_id"), Claim("client_id")),
        (with("cnf", json!({ "jkt": "x" })), Bound),
    ];
    for (claims, refusal) in cases {
        assert_eq!(
            verify(&signer.sign(&claims), &keys),
            Err(refusal),
            "{claims}"
        );
    }
}

#[test]
fn a_little_difference_of_clocks_is_forgiven() {
    let signer = Signer::ec("one");
    let keys = keys(&[&signer]);
    let now = NOW.as_unix();
    assert!(verify(&signer.sign(&with("exp", json!(now - 29))), &keys).is_ok());
    assert!(verify(&signer.sign(&with("nbf", json!(now + 30))), &keys).is_ok());
}

#[test]
fn no_signature_no_shared_secret_and_no_key_of_ones_own_will_do() {
    let (rsa, ec, stranger) = (Signer::rsa("one"), Signer::ec("two"), Signer::rsa("one"));
    let keys = keys(&[&rsa, &ec]);
    let none = |name: &str| forged(&json!({ "alg": name, "typ": "at+jwt" }), &claims(), b"");
    for name in ["none", "None", "NONE", "nOnE", ""] {
        assert_eq!(
            verify(&none(name), &keys),
            Err(AccessTokenRefusal::NotTrusted),
            "{name}"
        );
    }
    // The public key as the secret of an HMAC: what it was made for is the confusion of both.
    let modulus = rsa.jwk()["n"].as_str().unwrap().to_owned();
    for secret in [modulus.as_bytes(), rsa.jwk().to_string().as_bytes(), b""] {
        let key = EncodingKey::from_secret(secret);
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = Header {
                kid: Some("one".to_owned()),
                ..Header::new(algorithm)
            };
            let text = encode(&header, &claims(), &key).unwrap();
            assert_eq!(verify(&text, &keys), Err(AccessTokenRefusal::NotTrusted));
        }
    }
    // Somebody else's key under the same name, and one that the header itself brings.
    assert_eq!(
        verify(&stranger.sign(&claims()), &keys),
        Err(AccessTokenRefusal::NotTrusted)
    );
    let brought = Header {
        jwk: Some(Jwk::from_encoding_key(&stranger.key, stranger.algorithm).unwrap()),
        jku: Some("https://evil.example/keys".to_owned()),
        x5u: Some("https://evil.example/chain".to_owned()),
        ..stranger.header()
    };
    let text = encode(&brought, &claims(), &stranger.key).unwrap();
    assert_eq!(verify(&text, &keys), Err(AccessTokenRefusal::NotTrusted));
    // A name that means something to a file system or a database.
    for id in [
        "../../dev/null",
        "' OR 1=1 --",
        "",
        "one\u{0}",
        "three",
        "ONE",
    ] {
        let header = Header {
            kid: Some(id.to_owned()),
            ..rsa.header()
        };
        let text = encode(&header, &claims(), &rsa.key).unwrap();
        assert_eq!(
            verify(&text, &keys),
            Err(AccessTokenRefusal::UnknownKey),
            "{id}"
        );
    }
    // One algorithm's signature under the name of another.
    let header = Header {
        kid: Some("two".to_owned()),
        ..rsa.header()
    };
    let text = encode(&header, &claims(), &rsa.key).unwrap();
    assert_eq!(verify(&text, &keys), Err(AccessTokenRefusal::UnknownKey));
}

#[test]
fn each_changed_letter_of_a_signed_token_is_noticed() {
    let signer = Signer::ec("one");
    let keys = keys(&[&signer]);
    let text = signer.sign(&claims());
    let letters: Vec<char> = text.chars().collect();
    for at in (0..letters.len()).step_by(7) {
        let mut changed = letters.clone();
        changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
        let changed: String = changed.into_iter().collect();
        assert!(verify(&changed, &keys).is_err(), "letter {at}");
    }
}

#[test]
fn headers_that_ask_for_more_than_a_signature_are_refused() {
    let signer = Signer::ec("one");
    let keys = keys(&[&signer]);
    let sign = |header: &Header| encode(header, &claims(), &signer.key).unwrap();
    for kind in ["at+jwt", "AT+JWT", "application/at+jwt", "JWT"] {
        let header = Header {
            typ: Some(kind.to_owned()),
            ..signer.header()
        };
        assert!(verify(&sign(&header), &keys).is_ok(), "{kind}");
    }
    let refused = [
        Header {
            typ: Some("dpop+jwt".to_owned()),
            ..signer.header()
        },
        Header {
            typ: Some("logout+jwt".to_owned()),
            ..signer.header()
        },
        Header {
            crit: Some(vec!["exp".to_owned()]),
            ..signer.header()
        },
        Header {
            crit: Some(Vec::new()),
            ..signer.header()
        },
    ];
    for header in refused {
        let outcome = verify(&sign(&header), &keys);
        assert_eq!(outcome, Err(AccessTokenRefusal::NotTrusted), "{header:?}");
    }
}

#[test]
fn an_algorithm_that_the_operator_left_out_is_refused() {
    let signer = Signer::rsa("one");
    let keys = keys(&[&signer]);
    let text = signer.sign(&claims());
    let token = AccessToken::parse(&text).unwrap();
    let only_es256 = TrustedIssuer {
        algorithms: vec![SigningAlgorithm::ES256],
        ..trusted()
    };
    let outcome = token.verify(&only_es256, &keys, RESOURCE, NOW);
    assert_eq!(outcome, Err(AccessTokenRefusal::NotTrusted));
}

#[test]
fn a_set_of_keys_is_read_as_far_as_it_can_be_used() {
    let (rsa, ec) = (Signer::rsa("one"), Signer::ec("two"));
    let mut encrypting = rsa.jwk();
    encrypting["use"] = json!("enc");
    let mut other = ec.jwk();
    other["alg"] = json!("ES384");
    let set = json!({ "keys": [
        { "kty": "oct", "kid": "one", "k": "c2VjcmV0" },
        { "kty": "future", "kid": "three" },
        7, encrypting, other, ec.jwk(),
    ] });
    let keys = SigningKeys::parse(set.to_string().as_bytes()).unwrap();
    assert!(verify(&ec.sign(&claims()), &keys).is_ok());
    assert_eq!(
        verify(&rsa.sign(&claims()), &keys),
        Err(AccessTokenRefusal::UnknownKey)
    );
    for text in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert_eq!(
            SigningKeys::parse(text.as_bytes()).unwrap_err(),
            InvalidKeys::NotASet
        );
    }
    let useless = json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }).to_string();
    assert_eq!(
        SigningKeys::parse(useless.as_bytes()).unwrap_err(),
        InvalidKeys::None
    );
}

#[test]
fn other_texts_are_no_access_tokens() {
    let long = format!("{}.e30.e30", "A".repeat(LONGEST));
    for text in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "att_x_y",
        "e30.e30.e30",
        &long,
    ] {
        assert_eq!(
            AccessToken::parse(text).unwrap_err(),
            InvalidAccessToken,
            "{text:.20}"
        );
    }
}

#[test]
fn nothing_of_a_token_is_shown() {
    let signer = Signer::ec("one");
    let text = signer.sign(&claims());
    let shown = format!("{:?}", AccessToken::parse(&text).unwrap());
    assert!(!shown.contains(&text[..40]), "{shown}");
}
