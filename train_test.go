package outcrop_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"outcrop.dev/outcrop"
)

// A job that an older version wrote down goes on as it began.
func TestTrainSpecOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	var got outcrop.TrainSpec
	if err := json.Unmarshal([]byte(`{"Epochs":2,"BatchSize":4,"LearningRate":0.001,"WarmupSteps":3,"Seed":5}`), &got); err != nil {
		t.Fatal(err)
	}
	want := outcrop.TrainSpec{
		Method: "full", Epochs: 2, BatchSize: 4, LearningRate: 0.001, RateFactor: 1, WarmupSteps: 3, Schedule: "linear", WeightDecay: 0.01, GradientClip: 1,
		LoRA: outcrop.LoRASpec{Rank: 16, Alpha: 32}, Seed: 5, MicroTokens: 1024, MinGain: 0.001, Best: "last",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	want.Schedule = ""
	if err := json.Unmarshal(b, &want); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("round trip: %+v, %v", want, err)
	}
}
