package strictyaml_test
import ("testing";"strings";"time";"github.com/goccy/go-yaml/lexer";"github.com/goccy/go-yaml/parser")
func TestZZ(t *testing.T){
 for _,p:=range []string{"a:\n","a: b\n"} { for _,n:=range []int{5000,10000,20000,40000} {
  s:=strings.Repeat(p,n)
  b:=time.Now()
  tk:=lexer.Tokenize(s)
  d1:=time.Since(b)
  b=time.Now()
  parser.Parse(tk,0,parser.AllowDuplicateMapKey())
  t.Log(p,n,len(tk),d1,time.Since(b))
 }}
}
