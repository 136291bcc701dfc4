package authority

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEveryMeaningIsASentence(t *testing.T) {
	var texts []string
	for code := range meanings {
		text := (&Error{AADSTS: code, Status: 400}).Error()
		if text != strings.TrimRight(text, ".!") || !strings.Contains(text, fmt.Sprintf("(AADSTS%d)", code)) {
			t.Errorf("%d: %q", code, text)
		}
		texts = append(texts, text)
	}
	if slices.Contains(texts, "") {
		t.Error("an empty sentence")
	}
}
