package demo

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jedib0t/go-pretty/v6/text"
)

// labelColumns is the width of the labels before the answers.
const labelColumns = 12

func (r *run) compare(context.Context) error {
	for i, row := range r.heldOut[:min(r.Shown, len(r.heldOut))] {
		r.labelled("note", row.Prompt)
		r.labelled("base", r.base.texts[i])
		r.labelled("tuned", r.tuned.texts[i])
		if r.tuned.texts[i] == strings.TrimSpace(row.Completion) {
			r.labelled("", "(exactly what the held-out row says)")
		} else {
			r.labelled("held out", row.Completion)
		}
		r.printf("\n")
	}
	n := len(r.heldOut)
	r.printf("   exact match on %d held-out notes: %d before, %d after\n", n, exact(r.heldOut, r.base), exact(r.heldOut, r.tuned))
	return nil
}

// labelled prints text after a label, wrapped. An answer's control characters, which an
// untrained model may well produce, are shown as spaces: they are not for the terminal.
func (r *run) labelled(label, answer string) {
	answer = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, answer)
	wrapped := text.WrapSoft(answer, r.Columns-labelColumns)
	for i, line := range strings.Split(wrapped, "\n") {
		if i > 0 {
			label = ""
		}
		r.printf("   %-*s%s\n", labelColumns-3, label, strings.TrimRight(line, " "))
	}
}

func (r *run) artefacts(ctx context.Context) error {
	r.call("s3", "ListObjectsV2", "s3://%s/%s", r.Bucket, r.outputKey())
	p := s3.NewListObjectsV2Paginator(r.s3, &s3.ListObjectsV2Input{Bucket: aws.String(r.Bucket), Prefix: aws.String(r.outputKey())})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			r.printf("   %9d  %s\n", aws.ToInt64(o.Size), strings.TrimPrefix(aws.ToString(o.Key), r.outputKey()))
		}
	}
	return nil
}

const botoSnippet = `python3 - <<'PY'
import boto3, json
runtime = boto3.client('bedrock-runtime')
answer = runtime.invoke_model(
    modelId='THROUGHPUT',
    body=json.dumps({'inputText': 'PROMPT',
                     'textGenerationConfig': {'temperature': 0, 'maxTokenCount': 128}}))
print(json.loads(answer['body'].read())['results'][0]['outputText'])
PY
`

func (r *run) goOn(context.Context) error {
	r.printf("\n%s\n", strings.Join(r.GoOn, "\n"))
	prompt := strings.ReplaceAll(r.heldOut[len(r.heldOut)-1].Prompt, "'", `\'`)
	r.printf("%s", strings.NewReplacer("THROUGHPUT", r.throughputARN, "PROMPT", prompt).Replace(botoSnippet))
	return nil
}
