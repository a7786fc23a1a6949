// Package hub downloads models from the Hugging Face hub, or from what speaks its protocol
// (HF_ENDPOINT): the files that this engine needs and no others, checked against the hub's
// checksums, going on where an earlier attempt broke off.
//
//	client, err := hub.New(hub.Options{Endpoint: endpoint, Token: token, Wait: wait})
//	name, err := hub.ParseName("HuggingFaceTB/SmolLM2-135M@main")
//	m, err := client.Model(ctx, name)                  // which commit, which files, how large
//	err = client.Download(ctx, m, dir, func(p hub.Progress) { … })
//
// What is asked of the server:
//
//	GET {endpoint}/api/models/ORG/NAME/revision/REV?blobs=true    the commit and its files
//	GET {endpoint}/ORG/NAME/resolve/COMMIT/FILE                   redirects to a storage host
//
// A token goes to the endpoint's own host and to no other: not to where a redirect leads. It
// knows no catalog; the directory it fills is like any other that a user has.
package hub

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"outcrop.dev/outcrop"
)

// DefaultEndpoint is the hub.
const DefaultEndpoint = "https://huggingface.co"

// DefaultRevision is what a name without @REV means.
const DefaultRevision = "main"

// Options are what a Client may be told.
type Options struct {
	Endpoint  string // of the hub, DefaultEndpoint if ""
	Token     string // "" is anonymous
	UserAgent string
	Transport http.RoundTripper // nil is a new one that honours HTTPS_PROXY
	// Wait waits between two attempts, or returns ctx's error.
	Wait func(ctx context.Context, d time.Duration) error
	// Again is told before each wait why something is tried again, and after how long; from
	// several goroutines. nil: nobody is told.
	Again func(why error, d time.Duration)
	// AfterFunc is time.AfterFunc, by which a transfer that has stalled is noticed.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
}

// Client speaks to one hub. It may be used from several goroutines.
type Client struct {
	Options
	endpoint *url.URL
}

// responseTimeout is how long a server may take to begin an answer.
const responseTimeout = time.Minute

// New returns a client. CodeValidation says what is wrong with the endpoint: above all, that
// the token would go over the network in clear text.
func New(o Options) (*Client, error) {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	u, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, outcrop.Errorf(outcrop.CodeValidation, "The endpoint %q is not an address such as %s (HF_ENDPOINT).", o.Endpoint, DefaultEndpoint)
	}
	o.Token = strings.TrimSpace(o.Token) // a file's last newline is no part of it, and no header may have one
	if o.Token != "" && u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, outcrop.Errorf(outcrop.CodeValidation,
			"The token (HF_TOKEN) would go to %s in clear text: use an https address, or unset the token.", u.Host)
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = responseTimeout
		o.Transport = t
	}
	return &Client{o, u}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Name is a model and one of its revisions.
type Name struct {
	Repo     string // ORG/NAME, or NAME alone for a few old ones
	Revision string // branch, tag or commit
}

var (
	repoPattern     = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// ParseName reads ORG/NAME or ORG/NAME@REV. CodeValidation for anything else.
func ParseName(s string) (Name, error) {
	repo, revision, named := strings.Cut(strings.TrimPrefix(s, DefaultEndpoint+"/"), "@")
	if !named {
		revision = DefaultRevision
	}
	if !repoPattern.MatchString(repo) || strings.Contains(repo, "..") || !revisionPattern.MatchString(revision) || strings.Contains(revision, "..") {
		return Name{}, outcrop.Errorf(outcrop.CodeValidation, "%q is not a model of the hub: write ORG/NAME or ORG/NAME@REVISION, such as HuggingFaceTB/SmolLM2-135M.", s)
	}
	return Name{repo, revision}, nil
}

// String returns the name as ParseName reads it.
func (n Name) String() string {
	if n.Revision == DefaultRevision {
		return n.Repo
	}
	return n.Repo + "@" + n.Revision
}

// redirectsMax is the most redirects that are followed: the hub needs two.
const redirectsMax = 5

// get sends a request to the endpoint and follows redirects, with the token only to the
// endpoint itself. The header is what all the answers on the way said, the first one first:
// the hub says what a file is before it says where.
func (c *Client) get(ctx context.Context, method, path string, ask http.Header) (*http.Response, http.Header, error) {
	target, err := url.Parse(c.endpoint.Scheme + "://" + c.endpoint.Host + c.endpoint.EscapedPath() + path)
	if err != nil {
		return nil, nil, err
	}
	said := http.Header{}
	for range redirectsMax + 1 {
		r, err := c.send(ctx, method, target, ask)
		if err != nil {
			return nil, nil, err
		}
		for key, values := range r.Header {
			if _, earlier := said[key]; !earlier {
				said[key] = values
			}
		}
		if r.StatusCode < 300 || r.StatusCode > 399 || r.StatusCode == http.StatusNotModified {
			return r, said, nil
		}
		next, err := target.Parse(r.Header.Get("Location"))
		r.Body.Close()
		if err != nil || r.Header.Get("Location") == "" {
			return nil, nil, fmt.Errorf("%s redirects to nowhere that can be", target.Host)
		}
		if method == http.MethodHead && next.Host != target.Host {
			return r, said, nil // what was asked for has been said; the storage host need not be asked
		}
		if target.Scheme == "https" && next.Scheme != "https" || next.Scheme != "http" && next.Scheme != "https" {
			return nil, nil, fmt.Errorf("%s redirects to %s, which is not https", target.Host, shown(next))
		}
		target = next
	}
	return nil, nil, fmt.Errorf("%s%s: more than %d redirects", c.endpoint.Host, path, redirectsMax)
}

func (c *Client) send(ctx context.Context, method string, to *url.URL, ask http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to.String(), nil)
	if err != nil {
		return nil, err
	}
	for key, values := range ask {
		req.Header[key] = values
	}
	req.Header.Set("User-Agent", c.UserAgent)
	// A server that compressed would make lengths and ranges mean something else.
	req.Header.Set("Accept-Encoding", "identity")
	if c.Token != "" && to.Scheme == c.endpoint.Scheme && to.Host == c.endpoint.Host {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	r, err := c.Transport.RoundTrip(req) // an http.Client would tell addresses in its errors
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, shown(to), err)
	}
	return r, nil
}

// shown is an address as an error may have it: what a redirect leads to is signed in its query,
// and whoever reads that in a log could fetch a private file.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
