package sts_test

import (
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/sts"
)

// serve returns a server whose callers are who.
func serve(t *testing.T, who outcrop.Caller) *httptest.Server {
	t.Helper()
	h := sts.New(func() string { return "req-1" }, slog.New(slog.DiscardHandler))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who.Account != "" {
			r = r.WithContext(outcrop.WithCaller(r.Context(), who))
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

var root = outcrop.Caller{Account: "123456789012", Region: "us-east-1", AccessKeyID: "AKIDEXAMPLE", ARN: "arn:aws:iam::123456789012:root"}

func TestGetCallerIdentity(t *testing.T) {
	t.Parallel()
	user := root
	user.ARN = "arn:aws:iam::123456789012:user/ann"
	for want, who := range map[string]outcrop.Caller{root.Account: root, root.AccessKeyID: user} {
		c := sdk.New(sdk.Options{BaseEndpoint: aws.String(serve(t, who).URL), Region: "us-east-1", RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")})
		got, err := c.GetCallerIdentity(t.Context(), &sdk.GetCallerIdentityInput{})
		if err != nil {
			t.Fatal(err)
		}
		if *got.Account != who.Account || *got.Arn != string(who.ARN) || *got.UserId != want {
			t.Errorf("%s %s %s", *got.Account, *got.Arn, *got.UserId)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		who         outcrop.Caller
		method      string
		query, body string
		status      int
		want        string
	}{
		"get":          {root, "GET", "Action=GetCallerIdentity&Version=2011-06-15", "", 200, "<Arn>arn:aws:iam::123456789012:root</Arn>"},
		"post":         {root, "POST", "", "Action=GetCallerIdentity&Version=2011-06-15", 200, "<RequestId>req-1</RequestId>"},
		"no version":   {root, "POST", "", "Action=GetCallerIdentity", 200, "<Account>123456789012</Account>"},
		"old version":  {root, "POST", "", "Action=GetCallerIdentity&Version=2010-01-01", 400, "<Code>InvalidAction</Code>"},
		"other action": {root, "POST", "", "Action=AssumeRole&Version=2011-06-15", 400, "Could not find operation AssumeRole for version 2011-06-15."},
		"hostile":      {root, "GET", "Action=" + url.QueryEscape("<a>\x00\xff"+strings.Repeat("é", 200)), "", 400, "&lt;a&gt;"},
		"no action":    {root, "POST", "", "", 400, "<Code>MissingAction</Code>"},
		"no form":      {root, "POST", "", "%zz", 400, "<Code>MalformedInput</Code>"},
		"bad query":    {root, "GET", "a;b", "", 400, "<Code>MalformedInput</Code>"},
		"at the limit": {root, "POST", "", "Action=GetCallerIdentity&x=" + strings.Repeat("x", sts.FormBytesMax-27), 200, "<Arn>"},
		"too long":     {root, "POST", "", "Action=GetCallerIdentity&x=" + strings.Repeat("x", sts.FormBytesMax-26), 400, "more than 65536 bytes"},
		"nobody":       {outcrop.Caller{}, "POST", "", "Action=GetCallerIdentity", 403, "<Code>AccessDenied</Code>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), test.method, serve(t, test.who).URL+"/?"+test.query, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			data, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || !strings.Contains(string(data), test.want) || resp.Header.Get("x-amzn-requestid") != "req-1" {
				t.Errorf("%d %v %s\nwant %d %s", resp.StatusCode, resp.Header, data, test.status, test.want)
			}
			if err := xml.Unmarshal(data, new(struct{ XMLName xml.Name })); err != nil {
				t.Errorf("not XML: %v: %s", err, data)
			}
		})
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	h := sts.New(func() string { return "" }, slog.New(slog.DiscardHandler))
	for want, err := range map[string]error{
		"403 <Code>SignatureDoesNotMatch</Code><Message>wrong</Message>": outcrop.Errorf("SignatureDoesNotMatch", "wrong"),
		"400 <Code>RequestExpired</Code><Message>old</Message>":          outcrop.Errorf("RequestExpired", "old"),
		"500 <Code>InternalFailure</Code>":                               io.ErrUnexpectedEOF,
	} {
		w := httptest.NewRecorder()
		h.WriteError(w, err)
		status, text, _ := strings.Cut(want, " ")
		if strconv.Itoa(w.Code) != status || !strings.Contains(w.Body.String(), text) || strings.Contains(w.Body.String(), "EOF") {
			t.Errorf("%d %s, want %s", w.Code, w.Body, want)
		}
	}
}
