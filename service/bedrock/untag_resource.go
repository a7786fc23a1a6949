package bedrock

import "context"

// UntagResource removes tags by their keys; keys that the resource does not have are no error.
func (s *Service) UntagResource(ctx context.Context, in *UntagResourceInput) (*UntagResourceOutput, error) {
	return &UntagResourceOutput{}, s.changeTags(ctx, in.ResourceARN, func(m map[string]string) {
		for _, key := range in.TagKeys {
			delete(m, key)
		}
	})
}
