package customize

import (
	"testing"
)

// TestValidationEpochs: an evaluation at an epoch's end is that epoch's, not the next one's,
// and no epoch comes that the training metrics do not have.
func TestValidationEpochs(t *testing.T) {
	t.Parallel()
	var evaluations []evaluation
	for _, step := range []int{0, 1, 4, 5, 6, 10, 15} {
		evaluations = append(evaluations, evaluation{Step: step, Losses: []float64{9, 0}})
	}
	const want = "step_number,epoch_number,validation_loss,perplexity\n" +
		"0,0,0.000000,1.000000\n1,0,0.000000,1.000000\n4,0,0.000000,1.000000\n5,0,0.000000,1.000000\n" +
		"6,1,0.000000,1.000000\n10,1,0.000000,1.000000\n15,2,0.000000,1.000000\n"
	if got := string(validationCSV(evaluations, 1, 5)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestPerplexityOfABadRun: however large a loss is, its row stays short and a number.
func TestPerplexityOfABadRun(t *testing.T) {
	t.Parallel()
	for loss, want := range map[float64]string{
		2:    "7,0,2.000000,7.389056\n",
		300:  "7,0,300.000000,1.942426e+130\n",
		1000: "7,0,1000.000000,+Inf\n",
	} {
		if got := string(appendRow(nil, 7, 0, loss)); got != want {
			t.Errorf("loss %v: %q, want %q", loss, got, want)
		}
	}
}
