package restjson_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/wire/restjson"
)

// An operation is a function, a struct whose tags say what it takes, and what its caller must be
// allowed.
func ExampleHandle() {
	type input struct {
		Name string `uri:"thingName" check:"required,len:1..5"`
	}
	type output struct {
		Greeting string `json:"greeting"`
	}
	router := restjson.NewRouter(func() string { return "request-1" }, slog.Default())
	op := restjson.Operation{
		Name: "GetThing", Method: http.MethodGet, Path: "/things/{thingName}", Status: http.StatusOK,
		Action: "things:GetThing", Resource: "custom-model/{thingName}",
	}
	restjson.Handle(router, &restjson.API{}, op, func(_ context.Context, in *input) (*output, error) {
		if in.Name == "none" {
			return nil, outcrop.Errorf(outcrop.CodeNotFound, "There is no thing %s.", in.Name)
		}
		return &output{Greeting: "I am " + in.Name}, nil
	})
	for _, path := range []string{"/things/one", "/things/none", "/things/thousands"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		caller := outcrop.Caller{Account: "123456789012", Region: "us-east-1"} // as a signature tells
		router.ServeHTTP(w, r.WithContext(outcrop.WithCaller(r.Context(), caller)))
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 {"greeting":"I am one"}
	// 404 {"message":"There is no thing none."}
	// 400 {"message":"1 validation error detected: Value 'thousands' at 'thingName' failed to satisfy constraint: Member must have length less than or equal to 5"}
}
