using System.Text;

namespace AspireStreaming.StreamApi.Tests.Delivery;

public sealed class EncodedEventTests
{
    private const string Json =
        """{"stream":"s","position":"1700000000000-42","sequence":42,"recordedtime":"2023-11-14T22:13:20.000Z","specversion":"1.0","id":"a"}""";

    [Fact]
    public void Encode_every_form_is_a_part_of_one_buffer()
    {
        var item = ContinuityTests.Event("1700000000000-42", type: "ORDER ü");

        Assert.Equal($"id: 1700000000000-42\nevent: ORDER ü\ndata: {Json}\n\n", Text(item.NamedFrame));
        Assert.Equal("id: 1700000000000-42\n", Text(item.IdLine));
        Assert.Equal($"event: ORDER ü\ndata: {Json}\n\n", Text(item.NamedBody));
        Assert.Equal($"data: {Json}\n\n", Text(item.UnnamedBody));
        Assert.Equal("ORDER ü", Text(item.Type));
        Assert.Equal(Json, Text(item.Json));
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
