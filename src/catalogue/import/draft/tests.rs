use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalogue::{Source, check};

const PETS: &str = r##"
openapi: 3.1.0
info: {title: Pets of the World}
servers:
  - url: https://{region}.pets.example/v2
    variables: {region: {default: eu}}
security:
  - login: [pets.read]
components:
  securitySchemes:
    login:
      type: oauth2
      flows:
        authorizationCode:
          authorizationUrl: https://login.pets.example/authorize
          tokenUrl: https://login.pets.example/token
          scopes: {pets.read: See your pets, pets.write: Change your pets}
  schemas:
    Pet:
      type: object
      required: [name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, description: what it is called}
        kind: {type: string, enum: [cat, dog]}
paths:
  /me: {get: {operationId: me, summary: Who am I, responses: {"200": {content: {application/json: {}}}}}}
  /pets:
    get:
      operationId: listPets
      summary: List pets
      description: "Lists all pets, newest first.\nUse it to find ids."
      parameters:
        - {name: kind, in: query, description: Only pets of this kind., schema: {type: array, items: {type: string}}}
        - {name: pageSize, in: query, schema: {type: integer, minimum: 1, maximum: 50}, description: How many pets to return}
      responses: {"200": {content: {application/json: {}}}}
    post:
      operationId: createPet
      summary: Create a pet
      security: [{login: [pets.write]}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
      responses: {"201": {content: {application/json: {}}}}
  /pets/{petId}:
    parameters:
      - {name: petId, in: path, required: true, description: The id of the pet, schema: {type: integer}}
    delete: {operationId: deletePet, summary: Delete a pet, description: Deletes a pet for ever, security: [{login: [pets.write]}], responses: {"204": {description: gone}}}
    put: {operationId: uploadPet, requestBody: {required: true, content: {image/png: {}}}, responses: {}}
"##;

fn draft(text: &str, selection: &str) -> Result<Draft, ImportError> {
    import(text, "pets", &selection.parse().unwrap(), None)
}

/// The problems that `attache check` has with a draft.
fn problems(draft: &Draft) -> Vec<String> {
    let source = Source {
        file: "pets.toml".to_owned(),
        text: draft.text.clone(),
    };
    check(&[source]).iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_document_becomes_a_file_that_passes_every_check() {
    let draft = draft(PETS, "GET /pets, createPet, deletePet, uploadPet").unwrap();
    assert_eq!(draft.tools, 3);
    assert_eq!(
        draft.left_out,
        ["PUT /pets/{petId}: its body is neither JSON nor a form"]
    );
    assert_eq!(problems(&draft), Vec::<String>::new(), "{}", draft.text);
    insta::assert_snapshot!(draft.text);
}

#[test]
fn what_the_document_does_not_say_is_marked() {
    let text = r#"{"openapi": "3.0.0", "paths": {"/a/{x}": {"get": {"parameters": [{"name": "x", "in": "path", "required": true}]}}}}"#;
    let error = draft(text, "GET /a/{x}").unwrap_err().to_string();
    assert!(
        error.contains("`x`, which is no text and no number"),
        "{error}"
    );
    let text = r#"{"openapi": "3.0.0", "paths": {"/a": {"get": {}}}}"#;
    let bare = draft(text, "GET /a").unwrap();
    assert!(bare.text.matches("CHECK").count() > 8, "{}", bare.text);
    assert!(
        bare.text.contains("https://api.check.example"),
        "{}",
        bare.text
    );
}

#[test]
fn no_name_or_text_of_a_document_writes_a_line_of_its_own() {
    let evil = "x\"\n[oauth.token]\nurl = \"https://evil.example\"\n# ";
    let document = json!({"openapi": "3.0.0", "info": {"title": evil}, "servers": [{"url": format!("https://a.example/{evil}")}],
        "security": [{"o": [evil]}],
        "components": {"securitySchemes": {"o": {"type": "oauth2", "flows": {"authorizationCode": {"tokenUrl": evil, "scopes": {evil: evil}}}}}},
        "paths": {evil: {"get": {"operationId": evil}}, "/a": {"post": {"operationId": evil, "summary": evil, "description": evil,
            "parameters": [{"name": evil, "in": "query", "description": evil, "schema": {"type": "string", "enum": [evil], "pattern": evil}},
                {"name": evil, "in": "header"}],
            "requestBody": {"content": {"application/json": {"schema": {"properties": {evil: {"type": "string", "example": evil}}, "required": [evil]}}}}}}}});
    let draft = draft(&document.to_string(), "POST /a").unwrap();
    let table: toml::Table = draft.text.parse().unwrap();
    assert_eq!(
        table["oauth"]["token"]["url"].as_str(),
        Some("https://api.check.example/oauth/token")
    );
    assert!(
        !draft
            .text
            .lines()
            .any(|line| line.starts_with("url = \"https://evil")),
        "{}",
        draft.text
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_names_and_words_give_a_file_that_parses(
        name in "\\PC{0,40}", words in "\\PC{0,80}", path in "(/[a-z{}\"#?%. ]{0,12}){1,3}",
    ) {
        let operation = json!({"operationId": name, "summary": words, "parameters": [
            {"name": name, "in": "query", "description": words, "schema": {"type": "string", "default": words}},
            {"name": name, "in": "path", "required": true, "schema": {"type": "string"}},
        ]});
        let document = json!({"openapi": "3.0.0", "info": {"title": words}, "paths": {path.clone(): {"post": operation}}});
        let selection = Selection::from_line("post", &path);
        if let Ok(draft) = import(&document.to_string(), "pets", &selection, None) {
            let source = Source { file: "pets.toml".to_owned(), text: draft.text.clone() };
            prop_assert!(source.parse().is_ok(), "{}", draft.text);
        }
    }
}
