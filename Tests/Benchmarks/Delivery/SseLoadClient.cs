using System.Text;

namespace AspireStreaming.Benchmarks.Delivery;

/// <summary>One SSE subscription; looks for the marks only.</summary>
internal sealed class SseLoadClient(string stream) : LoadClient
{
    private bool _isReady;

    protected override int Subscriptions => 1;

    protected override ReadOnlyMemory<byte> Opening() =>
        Encoding.ASCII.GetBytes($"GET /streams/{stream}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");

    protected override int Take(ReadOnlySpan<byte> received)
    {
        if (!_isReady && received.IndexOf(CaughtUp) >= 0)
        {
            _isReady = true;
            OnCaughtUp();
        }

        if (received.IndexOf(End) >= 0)
        {
            OnEnd();
            return received.Length;
        }

        // A mark may be cut in two.
        return Math.Max(0, received.Length - CaughtUp.Length);
    }

    protected override ReadOnlyMemory<byte> Answer() => default;
}
