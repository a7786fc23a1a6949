package outcrop

import "time"

// The states of provisioned throughput (ProvisionedModelStatus). What is loaded dies with the
// server. The record says what is to be loaded, and the next server does so.
const (
	// ThroughputCreating: DesiredModelARN is to be loaded for the first time. Requests wait for it. A
	// crash loses the load, and the next server begins it again. The reconciler moves it on.
	ThroughputCreating Status = "Creating"
	// ThroughputInService: requests are answered by ModelARN. After a crash it stays so: the next
	// server loads the model in advance, or with the first request. UpdateProvisionedModelThroughput
	// moves it on. FailureMessage tells of an update that found no room.
	ThroughputInService Status = "InService"
	// ThroughputUpdating: DesiredModelARN is being loaded. Until it is there ModelARN answers. A crash
	// changes neither. The reconciler moves it on, to InService also where there is no room for the
	// new model beside the old one.
	ThroughputUpdating Status = "Updating"
	// ThroughputFailed: the model cannot be loaded. FailureMessage says why, and requests are told. It
	// is not tried again by itself, also not by the next server. An update with a desiredModelId
	// moves it on.
	ThroughputFailed Status = "Failed"
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
	return nounOf(r, KindThroughput, func(t *Throughput) *Meta { return &t.Meta })
}
