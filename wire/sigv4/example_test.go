package sigv4_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"outcrop.dev/outcrop/wire/sigv4"
)

// A request that the SDK has signed is verified; changed, it is refused.
func ExampleVerifier() {
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/foundation-models", nil)
	nothing := sha256.Sum256(nil)
	key := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	err := v4.NewSigner().SignHTTP(context.Background(), key, r, hex.EncodeToString(nothing[:]), "bedrock", "us-east-1", now)
	if err != nil {
		log.Fatal(err)
	}

	v := &sigv4.Verifier{Secrets: func(id string) (string, bool) { return "secret", id == "AKIDEXAMPLE" }}
	id, err := v.Verify(r, now)
	fmt.Println(id.AccessKeyID, id.Service, id.Region, err)

	r.URL.Path = "/custom-models"
	_, err = v.Verify(r, now)
	var refused *sigv4.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.JSON())
	}
	// Output:
	// AKIDEXAMPLE bedrock us-east-1 <nil>
	// InvalidSignatureException 403
}
