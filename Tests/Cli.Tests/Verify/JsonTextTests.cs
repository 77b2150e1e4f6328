using System.Text;
using AspireStreaming.Cli.Verify;

namespace AspireStreaming.Cli.Tests.Verify;

public sealed class JsonTextTests
{
    [Theory]
    [InlineData("""{"a":[1,2],"b":"x y"}""", """ { "a" : [ 1 , 2 ] ,	"b":"x y"} """, true)]
    [InlineData("""{"a":"x y"}""", """{"a":"xy"}""", false)]
    [InlineData("""{"a":"x\" y"}""", """{"a":"x\"y"}""", false)]
    [InlineData("""{"a":"x\\" }""", """{"a":"x\\"}""", true)]
    [InlineData("""{"a":1.0}""", """{"a":1}""", false)]
    [InlineData("""{"a":"\u00e9"}""", """{"a":"é"}""", false)]
    [InlineData("""{"a":1,"b":2}""", """{"b":2,"a":1}""", false)]
    [InlineData("""[1,2]""", """[1,2,3]""", false)]
    [InlineData("12", "1 2", true)]
    public void AreEqual_only_ignores_whitespace_between_tokens(string left, string right, bool expected)
    {
        Assert.Equal(expected, JsonText.AreEqual(Encoding.UTF8.GetBytes(left), Encoding.UTF8.GetBytes(right)));
        Assert.Equal(expected, JsonText.AreEqual(Encoding.UTF8.GetBytes(right), Encoding.UTF8.GetBytes(left)));
    }
}
