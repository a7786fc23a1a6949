package outcrop

import (
	"context"
	"encoding/json"
	"time"
)

// Status is the state of a durable noun. Its values are AWS's words; each stands with its noun, and
// says what a crash in it does and who moves it on.
type Status string

// Meta is the part of a durable noun that every noun has and that queries select on.
type Meta struct {
	Kind Kind
	Scope
	ID      string // 12 of [a-z0-9]
	ARN     ARN
	Name    string // unique among the live records of one kind and scope
	Status  Status
	Parent  string // ARN of the model this was made from or serves; "" if none
	Token   string // clientRequestToken of the creating call; "" if none
	Tags    map[string]string
	Created time.Time
	Updated time.Time
	Version int64 // set by the store; a change names the version it read
	Lease   Lease
}

// Head returns the part itself, for those who know nothing else of the noun.
func (m *Meta) Head() *Meta { return m }

// Lease says who works on a record, until when. Fence grows by one with every claim;
// a holder whose fence is no longer the record's has lost it.
type Lease struct {
	Owner string
	Until time.Time
	Fence int64
}

// Record is a durable noun as the store keeps it: Meta in columns, the rest as JSON.
type Record struct {
	Meta
	Body json.RawMessage
}

// Key names one record: by ARN alone, or by kind, scope and Ref, which is an id or a name.
type Key struct {
	ARN  ARN
	Kind Kind
	Scope
	Ref string
}

// KeyFor returns the key for an identifier as the API accepts them: a name, an id, an ARN,
// or an ARN with a name where the id belongs (custom-model/my-model), which AWS refuses
// and people write.
func KeyFor(kind Kind, scope Scope, identifier string) Key {
	if p, ok := ParseARN(identifier); ok {
		return Key{Kind: p.Kind, Scope: p.Scope, Ref: p.Last()}
	}
	return Key{Kind: kind, Scope: scope, Ref: identifier}
}

// Query selects records of one kind and scope, newest first unless Ascending. Zero fields
// select everything.
type Query struct {
	Kind Kind
	Scope
	AllScopes     bool // for reconcilers: ignore Scope
	Statuses      []Status
	Parent        string
	NameContains  string
	CreatedAfter  time.Time
	CreatedBefore time.Time
	Ascending     bool
	Limit         int    // 0 means DefaultPage
	Next          string // opaque, from the previous page
}

// DefaultPage is the page size when a caller names none; AWS documents none. MaxPage is
// the largest that the API accepts.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// Op is what a Change does.
type Op int

// The changes a store makes.
const (
	OpCreate Op = iota
	OpUpdate
	OpDelete
)

// Change is one step of Store.Apply. Update and Delete succeed only if the stored Version
// (and, where Lease.Fence is not 0, the stored fence) equals the record's.
type Change struct {
	Op     Op
	Record Record

	// If, where there is one, is asked just before the change is made. It reads from r what a rule
	// depends on: whether a name is free, a quota not used up, a model still there. Its error ends
	// Apply, which returns it and changes nothing.
	//
	// Nobody else writes between the asking and the end of Apply, in any process on the same
	// database, and r has what the changes ahead in the batch have written. So If is to be quick,
	// to depend on r alone, and to call no other method of the store. It may be asked again: a
	// store that is told of a conflict only when it commits begins anew.
	If func(ctx context.Context, r Reader) error
}

// Reader is the part of a Store that reads.
type Reader interface {
	// Get returns one record. CodeNotFound if there is none.
	Get(ctx context.Context, key Key) (Record, error)

	// ByToken returns the record that a clientRequestToken created. CodeNotFound if none.
	ByToken(ctx context.Context, kind Kind, scope Scope, token string) (Record, error)

	// List returns one page and the token of the next ("" at the end). CodeValidation for
	// a token that is not one of ours.
	List(ctx context.Context, q Query) (page []Record, next string, err error)
}

// Store keeps durable nouns. Two implementations share one conformance suite.
//
// When a call returns nil, what it wrote is on disk.
//
// How a store keeps others from writing while it asks a Change.If is its own matter: SQLite's
// transaction begins with the database's write lock (BEGIN IMMEDIATE), the one in memory holds its
// mutex; one on PostgreSQL would need isolation level serializable, or an advisory lock.
type Store interface {
	Reader

	// Apply makes all the changes or none. It sets Updated and Version, and Created where it
	// is zero. CodeConflict names the record whose name is taken, whose version moved on, or
	// whose fence is stale; errors.Is(err, ErrStale) tells the last two from the first. What a
	// Change.If returns is returned.
	Apply(ctx context.Context, changes ...Change) error

	// Claim leases one record of a kind in one of the statuses whose lease has run out,
	// oldest first, for owner until now+ttl, and grows its fence. ok is false if there is none.
	Claim(ctx context.Context, kind Kind, statuses []Status, owner string, ttl time.Duration) (rec Record, ok bool, err error)

	// Renew extends a lease. ErrStale if fence is no longer the record's.
	Renew(ctx context.Context, arn ARN, fence int64, ttl time.Duration) error

	// Release ends a lease at once, so that the record can be claimed. ErrStale as Renew.
	Release(ctx context.Context, arn ARN, fence int64) error
}

// ErrStale reports a change based on a version or a fence that is no longer current.
var ErrStale = &Error{Code: CodeConflict, Msg: "the record has changed since it was read"}
