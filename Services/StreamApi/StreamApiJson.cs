using System.Text.Json.Serialization;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Listing;
using AspireStreaming.StreamApi.Page;
using AspireStreaming.StreamApi.Statistics;

namespace AspireStreaming.StreamApi;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PageConfig))]
[JsonSerializable(typeof(StreamInfo))]
[JsonSerializable(typeof(StreamDocument))]
[JsonSerializable(typeof(StreamList))]
[JsonSerializable(typeof(ConnectionList))]
[JsonSerializable(typeof(StatsDocument))]
internal sealed partial class StreamApiJson : JsonSerializerContext;
