"""The operators that a graph may use, by domain: what is not named here is refused.

Imports nothing. `""` is ONNX's own domain, `ai.onnx.ml` that of trees and of what is fitted to
tables; of ONNX Runtime's two, only what its optimiser and its quantiser write for a CPU. None of
these reads a file, runs code that a graph brings, draws random numbers, or works on sequences or
optionals; texts are compared with categories, and not taken apart. A new one is one word here, and
a model in the tests that needs it (infra/decisions/0011); in `ai.onnx.ml` also a check of what it
says (0025).

    "Gather" in OPERATORS[""]
"""

ONNX_OPSETS = range(11, 25)
"""Versions of ONNX's own operators: the oldest that is tested, the newest that the runtime has."""

CLASSIC = "ai.onnx.ml"
"""The domain of trees, linear models, support vectors and what prepares tables for them."""

OPSETS = {"": ONNX_OPSETS, CLASSIC: range(1, 6)}
"""Versions by domain; of any other, version 1."""

IR_VERSIONS = range(4, 14)
"""Versions of the file format itself."""

_ARITHMETIC = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot
    BitwiseOr BitwiseXor Ceil Clip Cos Cosh CumSum Det Div Einsum Equal Erf Exp Floor Gemm Greater
    GreaterOrEqual IsInf IsNaN Less LessOrEqual Log MatMul Max Mean Min Mod Mul Neg Not Or Pow
    Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum ReduceSumSquare Round Sign Sin Sinh Sqrt Sub Sum Tan Tanh Where Xor
"""
_LAYERS = """
    AveragePool BatchNormalization Celu Conv ConvTranspose DeformConv Dropout Elu GRU Gelu
    GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization HardSigmoid HardSwish Hardmax
    InstanceNormalization LRN LSTM LayerNormalization LeakyRelu LogSoftmax LpNormalization LpPool
    MaxPool MaxRoiPool MeanVarianceNormalization Mish PRelu RMSNormalization RNN Relu RoiAlign
    RotaryEmbedding Selu Shrink Sigmoid Softmax Softplus Softsign Swish ThresholdedRelu Attention
"""
_SHAPES = """
    AffineGrid Cast CastLike CenterCropPad Col2Im Compress Concat Constant ConstantOfShape
    DepthToSpace Expand EyeLike Flatten Gather GatherElements GatherND GridSample Identity MaxUnpool
    NonMaxSuppression NonZero OneHot Pad Range Reshape Resize ReverseSequence ScatterElements
    ScatterND Shape Size Slice SpaceToDepth Split Squeeze Tile TopK Transpose Trilu Unique Unsqueeze
"""
_SIGNALS = "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT"
_QUANTISED = """
    ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
    QuantizeLinear
"""
_CONTROL = "If Loop Scan"

_FUSED = """
    Attention BiasGelu EmbedLayerNormalization FastGelu FusedConv FusedGemm FusedMatMul Gelu
    QuickGelu SkipLayerNormalization SkipSimplifiedLayerNormalization TransposeMatMul
"""
_FUSED_QUANTISED = """
    DequantizeLinear DynamicQuantizeLSTM DynamicQuantizeMatMul MatMulIntegerToFloat MatMulNBits
    NhwcMaxPool QAttention QEmbedLayerNormalization QGemm QLinearAdd QLinearAveragePool
    QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearSigmoid
    QLinearSoftmax QLinearWhere QuantizeLinear
"""
_BLOCKED = """
    AveragePool Conv GlobalAveragePool GlobalMaxPool MaxPool ReorderInput ReorderOutput Upsample
"""

_CLASSIC = """
    ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LabelEncoder LinearClassifier
    LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler
    TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor
"""

OPERATORS: dict[str, frozenset[str]] = {
    "": frozenset((_ARITHMETIC + _LAYERS + _SHAPES + _SIGNALS + _QUANTISED + _CONTROL).split()),
    CLASSIC: frozenset(_CLASSIC.split()),
    "com.microsoft": frozenset((_FUSED + _FUSED_QUANTISED).split()),
    "com.microsoft.nchwc": frozenset(_BLOCKED.split()),
}
