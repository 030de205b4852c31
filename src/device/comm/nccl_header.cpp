// Our declarations against NCCL's own header, where a build has it. No code comes of it.
#include <nccl.h>

#include <type_traits>

#include "device/comm/nccl_table.hpp"

namespace sojourn::nccl {

static_assert(kUniqueIdBytes == NCCL_UNIQUE_ID_BYTES && sizeof(UniqueId) == sizeof(ncclUniqueId));
static_assert(static_cast<int>(kSuccess) == ncclSuccess &&
              static_cast<int>(kUnhandledCudaError) == ncclUnhandledCudaError);
static_assert(static_cast<int>(kSystemError) == ncclSystemError && static_cast<int>(kRemoteError) == ncclRemoteError);
static_assert(static_cast<int>(kInProgress) == ncclInProgress);
static_assert(static_cast<int>(kUint8) == ncclUint8 && static_cast<int>(kFloat64) == ncclFloat64);
static_assert(static_cast<int>(kSum) == ncclSum && static_cast<int>(kProduct) == ncclProd);
static_assert(static_cast<int>(kMax) == ncclMax && static_cast<int>(kMin) == ncclMin);

static_assert(std::is_same_v<decltype(&ncclGetVersion), ncclResult_t (*)(int*)>);
static_assert(std::is_same_v<decltype(&ncclGetUniqueId), ncclResult_t (*)(ncclUniqueId*)>);
static_assert(std::is_same_v<decltype(&ncclCommInitRank), ncclResult_t (*)(ncclComm_t*, int, ncclUniqueId, int)>);
static_assert(std::is_same_v<decltype(&ncclCommDestroy), ncclResult_t (*)(ncclComm_t)>);
static_assert(std::is_same_v<decltype(&ncclCommAbort), ncclResult_t (*)(ncclComm_t)>);
static_assert(std::is_same_v<decltype(&ncclCommGetAsyncError), ncclResult_t (*)(ncclComm_t, ncclResult_t*)>);
static_assert(std::is_same_v<decltype(&ncclGetErrorString), const char* (*)(ncclResult_t)>);
static_assert(std::is_same_v<decltype(&ncclGetLastError), const char* (*)(ncclComm_t)>);
static_assert(std::is_same_v<decltype(&ncclAllGather),
                             ncclResult_t (*)(const void*, void*, size_t, ncclDataType_t, ncclComm_t, cudaStream_t)>);
static_assert(std::is_same_v<decltype(&ncclAllReduce), ncclResult_t (*)(const void*, void*, size_t, ncclDataType_t,
                                                                        ncclRedOp_t, ncclComm_t, cudaStream_t)>);
static_assert(std::is_same_v<decltype(&ncclBroadcast), ncclResult_t (*)(const void*, void*, size_t, ncclDataType_t, int,
                                                                        ncclComm_t, cudaStream_t)>);
static_assert(std::is_same_v<decltype(&ncclGroupStart), ncclResult_t (*)()>);
static_assert(std::is_same_v<decltype(&ncclGroupEnd), ncclResult_t (*)()>);

}  // namespace sojourn::nccl
