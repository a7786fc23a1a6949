package attempt

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

// earlierSpec is a spec as an earlier version of the program sent it, and reads it.
const earlierSpec = `{"JobARN":"arn:aws:bedrock:us-east-1:123456789012:model-customization-job/m/abc","JobID":"abc","Attempt":2,` +
	`"CustomizationType":"FINE_TUNING","BaseModelID":"outcrop.pebble-v1","ModelDir":"/m","BaseDir":"/b","ContextLength":512,"ScratchDir":"/s",` +
	`"HyperParameters":{"epochCount":"2"},"Train":{"Epochs":2},"Heartbeat":1000000000,"Threads":3,` +
	`"TrainingURI":"s3://in/t","ValidationURIs":["s3://in/v"],"OutputPrefix":"s3://out/x"}`

// TestSpecOfAnEarlierVersion: worker and server may be of two versions while the program is
// upgraded, so the members of a spec keep their names and their place.
func TestSpecOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	var got Spec
	if err := json.Unmarshal([]byte(earlierSpec), &got); err != nil {
		t.Fatal(err)
	}
	var train outcrop.TrainSpec
	if err := json.Unmarshal([]byte(`{"Epochs":2}`), &train); err != nil {
		t.Fatal(err)
	}
	want := Spec{
		JobARN: "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/m/abc", JobID: "abc", Attempt: 2, ScratchDir: "/s", Heartbeat: time.Second, Threads: 3,
		Grant: Grant{TrainingURI: "s3://in/t", ValidationURIs: []string{"s3://in/v"}, OutputPrefix: "s3://out/x"},
		Customization: Customization{
			CustomizationType: outcrop.FineTuning, BaseModelID: "outcrop.pebble-v1", ModelDir: "/m", BaseDir: "/b", ContextLength: 512,
			HyperParameters: map[string]string{"epochCount": "2"}, Train: train,
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if sent, known := members(t, want), membersOf(t, []byte(earlierSpec)); !slices.Equal(sent, known) {
		t.Errorf("sent are   %q\nknown were %q", sent, known)
	}
}

func members(t *testing.T, v any) []string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return membersOf(t, b)
}

func membersOf(t *testing.T, object []byte) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(m))
}
