package outcrop

import "time"

// The states of provisioned throughput (ProvisionedModelStatus).
const (
	ThroughputCreating  = "Creating"
	ThroughputInService = "InService"
	ThroughputUpdating  = "Updating"
	ThroughputFailed    = "Failed"
)

// Throughput is provisioned throughput: capacity reserved for one model.
type Throughput struct {
	Meta `json:"-"`

	ModelUnits         int
	ModelARN           ARN // what it serves now
	DesiredModelARN    ARN // what it will serve after an update
	FoundationModelARN ARN
	CommitmentDuration string    // OneMonth, SixMonths, or "" for hourly
	CommitmentExpires  time.Time // zero when hourly
	FailureMessage     string
	Request            string // fingerprint of the request, to know it when its token comes again
}

// Record returns the throughput as the store keeps it.
func (t *Throughput) Record() Record { return Record{Meta: t.Meta, Body: marshal(t)} }

// ThroughputOf reads provisioned throughput from its record.
func ThroughputOf(r Record) (*Throughput, error) {
	t := &Throughput{}
	if err := unmarshal(r, KindThroughput, t); err != nil {
		return nil, err
	}
	t.Meta = r.Meta
	return t, nil
}
