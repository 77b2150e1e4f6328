using System.IO.Pipelines;
using AspireStreaming.StreamApi.Rpc;
using AspireStreaming.StreamApi.Sse;

namespace AspireStreaming.StreamApi.Tests.Rpc;

public sealed class StagedBytesTests
{
    [Fact]
    public async Task MoveTo_everything_written_comes_out_in_order_and_once()
    {
        var random = new Random(5);
        var staged = new StagedBytes();
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var expected = new List<byte>();
        var target = new FrameWriter(pipe.Writer);
        for (var round = 0; round < 3; round++)
        {
            var source = new FrameWriter(staged);
            for (var count = 0; count < 100; count++)
            {
                var bytes = new byte[random.Next(count % 10 == 0 ? 200_000 : 5_000)];
                random.NextBytes(bytes);
                source.Write(bytes);
                expected.AddRange(bytes);
            }

            source.Complete();
            staged.MoveTo(ref target);
            staged.MoveTo(ref target);
        }

        target.Complete();
        await pipe.Writer.CompleteAsync();
        var received = new MemoryStream();
        await pipe.Reader.CopyToAsync(received, TestContext.Current.CancellationToken);

        Assert.True(expected.ToArray().AsSpan().SequenceEqual(received.ToArray()));
    }
}
