package restxml_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"outcrop.dev/outcrop/wire/restxml"
)

// An error as S3 answers it.
func ExampleWriteError() {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/bucket/key", nil)
	restxml.WriteError(w, r, &restxml.Error{Code: "NoSuchKey", Status: http.StatusNotFound, Message: "The specified key does not exist."})
	fmt.Println(w.Code, w.Body)
	// Output:
	// 404 <?xml version="1.0" encoding="UTF-8"?>
	// <Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Resource>/bucket/key</Resource><RequestId></RequestId><HostId></HostId></Error>
}
