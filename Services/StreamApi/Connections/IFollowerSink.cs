using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>Where followers write: the form that a transport gives to events. Called by the connection's loop only.</summary>
internal interface IFollowerSink
{
    /// <summary>Writes an event.</summary>
    void WriteEvent(StreamFollower follower, EncodedEvent item);

    /// <summary>Writes a control event.</summary>
    void WriteControl(StreamFollower follower, ControlEvent control);

    /// <summary>Tells the client where a follower stands.</summary>
    void WritePosition(StreamFollower follower, StreamPosition position);
}
